"use strict";

// The browser of questions: inflates a block, filters it, shows one page of the list and one question.
(() => {
  const PAGE_SIZE = 15;
  const KINDS = {
    all: "All",
    gained: "Gained",
    lost: "Lost",
    both_right: "Both right",
    both_wrong: "Both wrong",
    right: "Right",
    wrong: "Wrong",
    unscored: "Without a score",
    failed: "Without a complete answer",
    abstained: "Abstained",
  };
  const TONES = { gained: "better", right: "better", lost: "worse", wrong: "worse" };

  const browser = document.querySelector("[data-browser]");
  const blocks = [...document.querySelectorAll("script.items")];
  if (!browser || !blocks.length || !("DecompressionStream" in window)) return;

  const part = (name) => browser.querySelector(`[data-part="${name}"]`);
  const picks = Object.fromEntries(["block", "kind", "dataset", "words"].map((name) => [name, part(name)]));
  const [list, detail, said, pager] = ["list", "detail", "said", "pager"].map(part);
  let items = { n: 0, rows: [], columns: {}, texts: [] };
  let found = [];
  let first = 0;
  let current = -1;
  let turn = 0;

  // --- data ----------------------------------------------------------------------------------------

  async function inflate(block) {
    const bytes = Uint8Array.from(atob(block.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const value = await new Response(stream).json();
    const n = value.columns.id?.length ?? 0;
    const order = Object.keys(KINDS);
    const rank = (value.columns.kinds ?? []).map((kinds) => order.indexOf(kinds[0]));
    const rows = Array.from({ length: n }, (_, row) => row).sort((left, right) => rank[left] - rank[right]);
    return { ...value, n, rows, texts: [] };
  }

  /** A text is a string when it is whole, else its beginning and the length of the whole. */
  const textOf = (value) => (Array.isArray(value) ? value[0] : (value ?? ""));

  const cell = (name, row) => items.columns[name]?.[row] ?? null;

  const contextOf = (row) => {
    const place = cell("context", row);
    return place === null ? null : items.contexts[place];
  };

  /** Everything of a question that the search looks at, in small letters. */
  function searchText(row) {
    items.texts[row] ??= [
      cell("id", row),
      ...["question", "text", "baseline_text", "read", "baseline_read", "error", "baseline_error"].map((name) => textOf(cell(name, row))),
      ...[...(cell("accepted", row) ?? []), ...(cell("choices", row) ?? []), contextOf(row)].map(textOf),
    ]
      .join("\n")
      .toLowerCase();
    return items.texts[row];
  }

  function matches(row) {
    const words = picks.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    return (
      (picks.kind.value === "all" || cell("kinds", row).includes(picks.kind.value)) &&
      (picks.dataset.value === "" || cell("dataset", row) === picks.dataset.value) &&
      words.every((word) => searchText(row).includes(word))
    );
  }

  // --- one question --------------------------------------------------------------------------------

  function box(value) {
    const nodes = [make("div", { class: "box text", dir: "auto", tabindex: "0" }, textOf(value))];
    if (Array.isArray(value)) nodes.push(make("p", { class: "cut" }, cutNote(value)));
    return nodes;
  }

  const cutNote = (value) => `Cut off here: the whole text has ${grouped(value[1])} characters.`;

  function mark(prefix, row) {
    const correct = cell(`${prefix}correct`, row);
    const outcome = cell(`${prefix}outcome`, row);
    const words = [];
    if (outcome !== "answered") words.push(outcome);
    else if (cell(`${prefix}abstained`, row)) words.push("abstained");
    if (cell(`${prefix}unread`, row)) words.push("unread");
    if (correct === null) return make("span", { class: "none" }, [...words, "no score"].join(", "));
    const grade = { 1: "correct", 0: "wrong" }[correct] ?? `${(100 * correct).toFixed(1)} %`;
    const tone = { 1: "better", 0: "worse" }[correct] ?? "inconclusive";
    return make("span", { class: tone }, [...words, grade].join(", "));
  }

  function answer(title, prefix, row) {
    const [text, error, finish] = ["text", "error", "finish_reason"].map((name) => cell(prefix + name, row));
    const nodes = [make("h4", {}, make("bdi", {}, title), mark(prefix, row))];
    if (text === null) nodes.push(make("p", { class: "empty" }, "No text came back."));
    else if (textOf(text) === "") nodes.push(make("p", { class: "empty" }, "The text is empty."));
    else nodes.push(...box(text));
    const read = cell(`${prefix}read`, row);
    if (read !== null) nodes.push(make("p", { class: "cut" }, "Read as: ", make("bdi", {}, read)));
    if (finish !== null && cell(`${prefix}outcome`, row) !== "answered") {
      nodes.push(make("p", { class: "cut" }, "Finish reason: ", make("bdi", {}, finish)));
    }
    if (error !== null) nodes.push(make("p", { class: "cut" }, "Error: ", make("bdi", {}, textOf(error))));
    return make("div", {}, ...nodes);
  }

  function accepted(row) {
    const texts = cell("accepted", row) ?? [];
    const line = make("p", { class: "accepted" });
    if (!texts.length) line.append(cell("is_unanswerable", row) ? "Accepted: an abstention" : "No accepted answer is known");
    texts.forEach((text, place) => line.append(place ? " · " : "Accepted: ", make("bdi", {}, textOf(text))));
    const more = cell("n_accepted", row) - texts.length;
    if (texts.length && more > 0) line.append(` and ${grouped(more)} more`);
    return line;
  }

  function question(row) {
    const text = cell("question", row);
    if (text === null) return [make("p", { class: "empty" }, "The dataset has no such question.")];
    const nodes = [make("div", { class: "question text", dir: "auto" }, textOf(text))];
    if (Array.isArray(text)) nodes.push(make("p", { class: "cut" }, cutNote(text)));
    return nodes;
  }

  function article(row) {
    const choices = cell("choices", row) ?? [];
    const context = contextOf(row);
    const words = cell("kinds", row).map((kind) => KINDS[kind].toLowerCase());
    const replicate = cell("replicate", row);
    if (replicate) words.push(`replicate ${replicate}`);
    if (cell("is_unanswerable", row)) words.push("has no answer");
    const title = make("h3", {}, make("bdi", {}, cell("dataset", row)), " ", make("bdi", { class: "slug" }, cell("id", row)));
    const answers = [answer(items.trial, "", row)];
    if (items.baseline !== null) answers.push(answer(items.baseline, "baseline_", row));
    return [
      title,
      make("p", { class: "cut" }, words.join(" · ")),
      ...question(row),
      ...(choices.length ? [make("ol", { type: "A" }, ...choices.map((text) => make("li", { dir: "auto" }, textOf(text))))] : []),
      ...(context === null ? [] : [make("details", { open: true }, make("summary", {}, "Context"), ...box(context))]),
      accepted(row),
      make("div", { class: "answers" }, ...answers),
    ];
  }

  // --- the list ------------------------------------------------------------------------------------

  function entry(row) {
    const kind = cell("kinds", row)[0];
    const label = make("span", { class: `kind-of ${TONES[kind] ?? "inconclusive"}` }, KINDS[kind]);
    const words = textOf(cell("question", row)).slice(0, 90) || cell("id", row);
    const button = make("button", { type: "button", "data-row": row }, label, make("bdi", {}, words));
    return make("li", {}, button);
  }

  function show(row, { focus = false } = {}) {
    current = row;
    detail.replaceChildren(...(row < 0 ? [] : article(row)));
    for (const button of list.querySelectorAll("button")) {
      const isCurrent = Number(button.dataset.row) === row;
      button.setAttribute("aria-current", String(isCurrent));
      button.tabIndex = isCurrent ? 0 : -1;
      if (isCurrent && focus) button.focus();
    }
  }

  function turnTo(place, { focus = false, last = false } = {}) {
    first = place;
    const rows = found.slice(first, first + PAGE_SIZE);
    list.replaceChildren(...rows.map(entry));
    list.start = first + 1;
    const end = Math.min(first + PAGE_SIZE, found.length);
    part("page").textContent = found.length ? `${grouped(first + 1)} to ${grouped(end)} of ${grouped(found.length)}` : "";
    pager.querySelector('[data-step="-1"]').disabled = first === 0;
    pager.querySelector('[data-step="1"]').disabled = end >= found.length;
    show(rows.length ? (last ? rows.at(-1) : rows[0]) : -1, { focus });
  }

  function search() {
    found = items.rows.filter(matches);
    said.textContent = `${grouped(found.length)} of the ${grouped(items.n)} questions on this page.`;
    turnTo(0);
  }

  function step(direction, options = {}) {
    const place = first + direction * PAGE_SIZE;
    if (place >= 0 && place < found.length) turnTo(place, options);
  }

  function move(direction) {
    const place = found.indexOf(current) + direction;
    if (place < 0 || place >= found.length) return;
    if (place < first) step(-1, { focus: true, last: true });
    else if (place >= first + PAGE_SIZE) step(1, { focus: true });
    else show(found[place], { focus: true });
  }

  // --- controls ------------------------------------------------------------------------------------

  function fillKinds() {
    const kinds = { all: items.n_items, ...items.totals };
    const options = Object.entries(kinds).map(([kind, total]) => {
      const n = kind === "all" ? items.n : items.columns.kinds?.filter((own) => own.includes(kind)).length ?? 0;
      const size = n === total ? grouped(n) : `${grouped(n)} of ${grouped(total)}`;
      return make("option", { value: kind }, `${KINDS[kind]} (${size})`);
    });
    picks.kind.replaceChildren(...options);
    const names = [...new Set(items.columns.dataset ?? [])].sort();
    picks.dataset.replaceChildren(make("option", { value: "" }, "All"), ...names.map((name) => make("option", { value: name }, name)));
    picks.dataset.closest("label").hidden = names.length < 2;
  }

  async function choose(block) {
    const mine = ++turn;
    const value = await inflate(block);
    if (mine !== turn) return; // another comparison was chosen meanwhile
    items = value;
    part("note").textContent = block.dataset.note;
    const link = part("link");
    if (link) link.href = block.dataset.href;
    fillKinds();
    search();
  }

  const KEYS = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    PageDown: () => step(1, { focus: true }),
    PageUp: () => step(-1, { focus: true }),
    Home: () => turnTo(0, { focus: true }),
    End: () => turnTo(PAGE_SIZE * Math.floor((found.length - 1) / PAGE_SIZE), { focus: true, last: true }),
  };

  list.addEventListener("keydown", (event) => {
    if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey || !found.length) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    show(Number(button.dataset.row), { focus: true });
    if (matchMedia("(max-width: 40rem)").matches) detail.scrollIntoView();
  });
  for (const button of pager.querySelectorAll("button")) {
    button.addEventListener("click", () => step(Number(button.dataset.step)));
  }
  for (const name of ["kind", "dataset", "words"]) picks[name].addEventListener("input", search);
  picks.block?.addEventListener("input", () => choose(blocks[picks.block.selectedIndex]));
  picks.block?.append(...blocks.map((block) => make("option", {}, block.dataset.label)));

  choose(blocks[0]).then(() => {
    browser.hidden = false;
    document.querySelector("[data-without-script]")?.classList.add("superseded");
  });
})();
