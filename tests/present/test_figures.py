import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from retention_kit.errors import UsageError
from retention_kit.metrics import Sheet
from retention_kit.present import figures, formats
from retention_kit.present.layout import in_lines

SVG = "{http://www.w3.org/2000/svg}"
FIGURES: dict[str, Callable[[Sheet], Figure]] = {
    "retention_trend": lambda s: figures.retention_trend(s.tables["active_base"], market=s.market),
    "cohort_heatmap": lambda s: figures.cohort_heatmap(s.tables["cohort_retention"], market=s.market, grain="month"),
    "retention_curve": lambda s: figures.retention_curve(s.tables["pooled_retention"], market=s.market, grain="month"),
    "orders_trend": lambda s: figures.orders_trend(s.tables["orders"], market=s.market),
    "returned_by": lambda s: figures.returned_by(
        s.tables["returned"], market=s.market, cut="payment_method", horizon_days=90
    ),
}
pytestmark = pytest.mark.usefixtures("house_style")


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("drawn", FIGURES.values(), ids=FIGURES)
class TestFigure:
    def test_is_the_same_bytes_each_time(self, drawn, denmark):
        assert figures.svg(drawn(denmark)) == figures.svg(drawn(denmark))

    def test_says_what_it_shows_to_those_who_cannot_see_it(self, drawn, denmark):
        figure = drawn(denmark)
        told = figures.alt_text(figure)
        svg = ET.fromstring(figures.svg(figure))
        assert svg.tag == f"{SVG}svg"
        assert (svg.get("role"), svg.get("aria-label")) == ("img", told)
        assert svg[0].tag == f"{SVG}title"
        assert svg[0].text == told
        assert told.endswith(".")

    def test_has_text_as_text_and_asks_for_nothing(self, drawn, denmark):
        svg = figures.svg(drawn(denmark))
        assert len(texts(svg)) > 5
        assert "<metadata" not in svg
        assert "<?xml" not in svg
        assert len(svg) < 80_000

    def test_leaves_no_open_figure_and_its_table_as_it_was(self, drawn, denmark):
        before = {name: table.copy(deep=True) for name, table in denmark.tables.items()}
        figures.svg(drawn(denmark))
        assert plt.get_fignums() == []
        assert all(denmark.tables[name].equals(before[name]) for name in before)

    def test_of_nothing_is_drawn_too(self, drawn, denmark):
        empty = Sheet(
            denmark.market, denmark.as_of, 10, "month", "quarter", {}, {n: t.head(0) for n, t in denmark.tables.items()}
        )
        figure = drawn(empty)
        assert figures.alt_text(figure).startswith("Denmark. ")
        assert figures.alt_text(figure).endswith(": nothing to show: no data, no closed period, or too few customers.")
        ET.fromstring(figures.svg(figure))

    def test_shows_nothing_of_what_is_hidden(self, drawn, denmark):
        tables = {}
        for name, table in denmark.tables.items():
            numbers = table.select_dtypes("float64").columns
            tables[name] = table.assign(**dict.fromkeys(numbers, float("nan")), hidden=True)
        hidden = Sheet(denmark.market, denmark.as_of, 10, "month", "quarter", {}, tables)
        figure = drawn(hidden)
        assert "nothing to show" in figures.alt_text(figure)
        assert "nan" not in figures.svg(figure).lower().replace("nano", "")

    def test_takes_an_awkward_name_letter_by_letter(self, drawn, awkward_sheet, awkward):
        figure = drawn(awkward_sheet)
        svg = figures.svg(figure)
        assert ET.fromstring(svg).get("aria-label") == figures.alt_text(figure)
        assert awkward in figures.alt_text(figure)
        assert "<script" not in svg
        assert "onload=" not in svg.replace("&#34; onload=", "").replace('" onload="alert(1), n', "")


def test_labels_of_values_are_drawn_letter_by_letter(awkward_sheet, awkward):
    labels = texts(figures.svg(FIGURES["returned_by"](awkward_sheet)))
    assert any(label.startswith(f"{awkward}, n ") for label in labels)


@pytest.mark.parametrize("name", ["支付宝", "الدفع", "Überweisung", "ηλεκτρονικά"])
def test_labels_in_any_script_are_drawn_without_a_warning(denmark, name):
    table = denmark.tables["returned"]
    table = table.assign(value=table["value"].where(table["value"] != "card", name))
    figure = figures.returned_by(table, market=denmark.market, cut="payment_method", horizon_days=90)
    assert any(label.startswith(f"{name}, n ") for label in texts(figures.svg(figure)))


def test_the_alternative_text_holds_the_numbers(denmark):
    last = denmark.tables["active_base"].query("rule == 'window'").iloc[-1]
    told = figures.alt_text(FIGURES["retention_trend"](denmark))
    assert told.startswith("Customer retention rate of Denmark by period: ")
    assert (
        f"2025-Q4 {formats.percent(last['customer_retention_rate'])} "
        f"({formats.share_interval(last['lower'], last['upper'])}, n {formats.count(last['n_start'])})."
    ) in told
    pooled = denmark.tables["pooled_retention"].set_index("age").loc[1]
    assert f"age 1 {formats.percent(pooled['pooled_retention'])} " in figures.alt_text(
        FIGURES["retention_curve"](denmark)
    )
    month = denmark.tables["orders"].iloc[-1]
    assert (
        f"2025-12 {formats.count(month['n_orders'])} orders by {formats.count(month['n_customers'])} customers, "
        f"{formats.money(month['average_order_value'], currency='DKK')} each."
    ) in figures.alt_text(FIGURES["orders_trend"](denmark))
    cut = denmark.tables["returned"].query("cut == 'payment_method' and horizon_days == 90")
    assert all(
        f"{row.value} {formats.percent(row.returned_share)} " in figures.alt_text(FIGURES["returned_by"](denmark))
        for row in cut.itertuples()
    )
    cells = denmark.tables["cohort_retention"].query("cohort == '2025-10' and age > 0")["classic_retention"]
    assert (": " + ", ".join(formats.percent(share, digits=0) for share in cells) + ";") in figures.alt_text(
        FIGURES["cohort_heatmap"](denmark)
    )


def test_a_figure_without_money_shows_orders_alone(denmark):
    orders = denmark.tables["orders"].drop(columns=["revenue", "average_order_value"])
    told = figures.alt_text(figures.orders_trend(orders, market=denmark.market))
    assert "each" not in told
    assert " orders by " in told


def test_another_format_than_png_or_svg_is_refused(monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        monkeypatch.setenv(figures.FORMAT_VARIABLE, "pdf")
        with pytest.raises(UsageError) as error:
            figures.house_style()
    finally:
        InteractiveShell.clear_instance()
        del shell
    assert str(error.value) == "RETENTION_KIT_FIGURE_FORMAT is 'pdf'.\n  try:   png or svg"


@pytest.mark.parametrize("drawn", FIGURES.values(), ids=FIGURES)
def test_every_text_lies_within_the_figure(drawn, denmark):
    figure = drawn(denmark)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (left, bottom), (right, top) = figure.get_tightbbox(canvas.get_renderer()).get_points()
    width, height = figure.get_size_inches()
    assert left >= 0
    assert bottom >= 0
    assert right <= width
    assert top <= height


def test_a_label_in_letters_that_no_font_here_has_gets_room_as_well():
    figure, axes = figures.panels(height=2)
    axes.set_yticks([0], ["移动支付移动支付移动支付"])
    figure.get_layout_engine().execute(figure)
    narrow, narrow_axes = figures.panels(height=2)
    narrow_axes.set_yticks([0], ["card"])
    narrow.get_layout_engine().execute(narrow)
    assert axes.get_position().x0 * 8 >= 12 * 10 / 72
    assert narrow_axes.get_position().x0 < axes.get_position().x0


@pytest.mark.parametrize("title", ["Antwort auf die erste Frage und Sprache " * 4, "首次提问得到的答复" * 12])
def test_a_title_too_long_for_a_line_goes_on_in_the_next(title):
    figure, axes = figures.panels(height=3)
    axes.set_title(title)
    figure.get_layout_engine().execute(figure)
    lines = axes.get_title(loc="left").split("\n")
    assert len(lines) > 1
    assert "".join(lines).replace(" ", "") == title.replace(" ", "")
    assert axes.get_position().y1 < 1 - 2 * 12 / 72 / 3


def test_a_figure_too_small_for_its_words_keeps_its_margins():
    figure, axes = figures.panels(height=0.2)
    axes.set_title("a title")
    before = axes.get_position().bounds
    figure.get_layout_engine().execute(figure)
    assert axes.get_position().bounds == before


@pytest.mark.parametrize(
    ("label", "room", "lines"),
    [
        ("okt\u00a02025", 9, ["okt\u00a02025"]),
        ("okt\u00a02025", 4, ["okt", "2025"]),
        ("2025年第4四半期", 6, ["2025年", "第4四半期"]),
        ("2025年", 2, ["2025年"]),
        ("الربع الرابع 2025", 8, ["الربع\u00a0الرابع", "2025"]),
        ("2025-Q4", 1, ["2025-Q4"]),
    ],
)
def test_a_label_takes_as_many_lines_as_its_room_asks_for(label, room, lines):
    assert in_lines(label, room=room).split("\n") == lines
