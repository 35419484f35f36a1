"use strict";

// Sorts and filters tables of class "sortable": one body, a header row, rows of the same columns.
(() => {
  const FILTER_FROM = 8;
  const MISSING = "—";

  /** A cell's number, NaN without one; "< 0.001" counts as a little less than 0.001. */
  function numberOf(text) {
    const plain = text.replace(/[,$\s]/g, "").replace("−", "-");
    if (plain.startsWith("<")) return parseFloat(plain.slice(1)) * 0.999;
    if (plain.startsWith(">")) return parseFloat(plain.slice(1)) * 1.001;
    return parseFloat(plain);
  }

  function compare(left, right, isNumber) {
    if (isNumber) return numberOf(left) - numberOf(right);
    return left.localeCompare(right, "en", { numeric: true });
  }

  const isMissing = (text, isNumber) => text.startsWith(MISSING) || (isNumber && Number.isNaN(numberOf(text)));

  function sort(body, column, isNumber, sign) {
    const rows = [...body.rows].map((row) => ({ row, text: row.cells[column]?.textContent.trim() ?? MISSING }));
    rows.sort((left, right) => {
      const gaps = isMissing(left.text, isNumber) - isMissing(right.text, isNumber);
      return gaps || (isMissing(left.text, isNumber) ? 0 : sign * compare(left.text, right.text, isNumber));
    });
    body.append(...rows.map(({ row }) => row));
  }

  function makeSortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads) {
      if (head.matches(".plot-head, .rank")) continue;
      const isNumber = head.classList.contains("num");
      const button = make("button", { type: "button", class: "sort" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        // Numbers start with the largest, names with A.
        const order = head.getAttribute("aria-sort");
        const next = order ? (order === "ascending" ? "descending" : "ascending") : isNumber ? "descending" : "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", next);
        sort(table.tBodies[0], head.cellIndex, isNumber, next === "ascending" ? 1 : -1);
      });
    }
  }

  function makeFilterable(table) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < FILTER_FROM) return;
    const said = make("span", { role: "status", class: "ci" });
    const input = make("input", { type: "search", spellcheck: "false" });
    const place = table.closest(".scroll") ?? table;
    place.before(make("p", { class: "filter" }, make("label", {}, "Rows with ", input), " ", said));
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
      const n = rows.filter((row) => !row.hidden).length;
      said.textContent = words.length ? `${grouped(n)} of ${grouped(rows.length)} rows` : "";
    });
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    makeSortable(table);
    makeFilterable(table);
  }
})();
