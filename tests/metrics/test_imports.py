"""What importing the rooms that divide does not bring along."""

import subprocess
import sys

HEAVY = ("scipy.stats", "scipy.optimize", "scipy.linalg", "matplotlib", "seaborn")


def test_metrics_models_and_actions_are_imported_without_what_few_of_them_need():
    rooms = "import sys, retention_kit.metrics, retention_kit.models, retention_kit.actions.experiments"
    asked = f"{rooms}; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout
    assert loaded.strip() == "[]"
