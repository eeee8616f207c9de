"""One task per market with Airflow's PapermillOperator, each a notebook with outputs; the data are counted once."""

import pendulum
from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag

PROJECT = "/srv/retention-kit"
MARKETS = ["NL", "DK", "RO"]


@dag(schedule="10 4 * * *", start_date=pendulum.datetime(2026, 1, 1), catchup=False, max_active_tasks=4)
def retention() -> None:
    """Count, then run the market report for each market."""
    counted = BashOperator(
        task_id="count",
        bash_command="retention-kit count --data mycompany --as-of {{ ds }} --grain month --grain quarter",
        cwd=PROJECT,
    )
    for market in MARKETS:
        report = PapermillOperator(
            task_id=f"report_{market}",
            input_nb=f"{PROJECT}/notebooks/market_report.ipynb",
            output_nb=f"{PROJECT}/reports/{market}-{{{{ ds }}}}.ipynb",
            parameters={"market": market, "data": "mycompany", "as_of": "{{ ds }}"},
            kernel_name="python3",
        )
        counted >> report


retention()
