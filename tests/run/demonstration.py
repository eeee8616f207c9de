"""A notebook that ran, made by hand: all that a page can hold, to be tested and looked at."""

import io

import nbformat
import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

CARDS = """<div class="rk-cards">
<div class="rk-card"><div class="rk-label">Customers</div><div class="rk-value">4,812</div>
<div class="rk-interval">in 30 months</div></div>
<div class="rk-card"><div class="rk-label">Customer retention rate</div><div class="rk-value">61.0 %</div>
<div class="rk-interval">58.0 – 64.0 % · n 812</div></div>
<div class="rk-card"><div class="rk-label">Repeat customer rate</div><div class="rk-value">47.3 %</div>
<div class="rk-interval">45.9 – 48.7 % · n 4,812</div></div>
<div class="rk-card"><div class="rk-label">Purchase frequency, per year</div><div class="rk-value">1.62</div>
<div class="rk-interval">1.58 – 1.66 · n 4,812</div></div>
<div class="rk-card"><div class="rk-label">Average order value</div><div class="rk-value">DKK 1,284.50</div>
<div class="rk-interval">1,251.20 – 1,318.90 · n 9,133 orders</div></div>
<div class="rk-card"><div class="rk-label">Customer lifetime value, simple</div><div class="rk-value">–</div>
<div class="rk-interval">no lifespan is declared</div></div></div>"""

IN_SHORT = """<ul class="rk-in-short"><li>Of 812 customers active three months ago, 61.0 % still are.</li>
<li>Newcomers make up for those who left: the base grew by 4.1 % in the quarter.</li>
<li>Half of all second orders come within 38 days; who has not ordered by day 90 rarely does.</li></ul>"""


TITLE = """# Do customers come back?

The report of one market: who came back, who left, and what a customer is worth."""

WHO_STAYED = """## Who stayed

**Customer retention rate**: of the customers active at the start of a period, the share still active at its end.
A customer is *active* with an order in the last 90 days; the formula is `R / S`.

The line is the share of all customers who were active again at each age, the band what chance alone could do to it."""

READING = """Most who leave do so after the first order. From the fourth month the curve is nearly flat.

<details><summary>How this is counted</summary>

Only cohorts that have reached an age are counted at it. A month that is not over is absent, not zero.

- refunds lower the order they belong to
- days are local days

</details>"""

WORDS = """| Word | Means |
|---|---|
| cohort | month of the first order |
| age | whole months since |

> A share without its n is not printed."""

LIMITS = """## What this does not say

Why customers leave, and what would keep them. See [the definitions](https://example.org/definitions)."""


def _figure(kind: str) -> str:
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "kit", "font.family": "sans-serif"}):
        figure = Figure(figsize=(8.5, 3.6), layout="constrained")
        axes = figure.subplots()
        ages = np.arange(0, 13)
        if kind == "curve":
            share = 0.24 + 0.76 * np.exp(-ages / 1.7)
            axes.fill_between(ages, share - 0.04, share + 0.04, alpha=0.2, linewidth=0)
            axes.plot(ages, share, linewidth=2)
            axes.set(xlabel="months since the first order", ylabel="share still active", ylim=(0, 1))
        else:
            axes.pcolormesh(np.add.outer(-ages[::-1], -ages) / 24, cmap="cividis", edgecolors="white")
            axes.set(xlabel="age in months", ylabel="cohort")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return (
        file.getvalue()
        .replace("<svg ", '<svg role="img" aria-labelledby="title" ', 1)
        .replace("<defs>", f'<title id="title">A {kind} of retention</title><defs>', 1)
    )


def _out(kind: str, content: str) -> nbformat.NotebookNode:
    output = nbformat.v4.new_output("display_data", {kind: content})
    return nbformat.v4.new_code_cell("secret_source = figures.show()", outputs=[output])


def _cohorts() -> str:
    rng = np.random.default_rng(1)
    shares = pd.DataFrame(
        {
            f"{age}": [f"{rng.uniform(20, 60):.1f} %" if age + row < 13 else "–" for row in range(12)]
            for age in range(1, 13)
        },
        index=pd.Index([f"2025-{month:02d}" for month in range(1, 13)], name="cohort"),
    )
    shares.insert(0, "n", [f"{n:,}" for n in rng.integers(90, 2000, 12)])
    return shares.to_html(classes="rk-table", border=0).replace(
        "<thead>", "<caption>Share of each cohort active, by months since its first order</caption><thead>", 1
    )


def demonstration() -> nbformat.NotebookNode:
    """Return the notebook as it is after a run."""
    text = nbformat.v4.new_markdown_cell
    quarters = pd.DataFrame(
        {
            "period": ["2025Q1", "2025Q2", "2025Q3", "2025Q4"],
            "S": [801, 812, 790, 845],
            "rate": [0.61, 0.60, 0.62, 0.59],
            "reading": ["as before", "as before", "a little better", "an outage in November"],
        }
    )
    node = nbformat.v4.new_notebook()
    node.cells = [
        text(TITLE),
        nbformat.v4.new_code_cell('market: str = "NL"', metadata={"tags": ["parameters"]}),
        text("## In short"),
        _out("text/html", IN_SHORT),
        _out("text/html", CARDS),
        text(WHO_STAYED),
        _out("image/svg+xml", _figure("curve")),
        text(READING),
        text("## Cohorts\n\nEach row is the customers whose first order lies in that month."),
        _out("text/html", _cohorts()),
        _out("image/svg+xml", _figure("heat map")),
        text("## Quarter by quarter"),
        _out("text/html", quarters.to_html()),
        text(WORDS),
        text(LIMITS),
        _out("text/plain", "<Axes: a plain text>"),
    ]
    return node
