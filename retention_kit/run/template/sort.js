// A title of a sortable table becomes a button: once up, twice down, the third time as it was.
// Numbers are those of data-sort, words go by the page's language, what is absent comes last.
"use strict";
const words = new Intl.Collator(document.documentElement.lang, { numeric: true });
const key = (row, column) => row.cells[column].dataset.sort;
const text = (row, column) => row.cells[column].textContent.trim();
const order = (column, numbers, sign) => (a, b) => {
  const one = numbers ? key(a, column) : text(a, column), other = numbers ? key(b, column) : text(b, column);
  if (!one || !other) return !one - !other;
  return sign * (numbers ? one - other : words.compare(one, other));
};
for (const table of document.querySelectorAll(".rk-sortable")) {
  const body = table.tBodies[0], first = [...body.rows], heads = [...[...table.tHead.rows].at(-1).cells];
  heads.forEach((head, column) => {
    if (!head.textContent.trim() || "fixed" in head.dataset) return;
    const numbers = first.some((row) => key(row, column)), button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: "" }[head.getAttribute("aria-sort")] ?? "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (next) head.setAttribute("aria-sort", next);
      body.append(...(next ? [...first].sort(order(column, numbers, next === "ascending" ? 1 : -1)) : first));
    });
  });
}
