"use strict";
(() => {
  const source = document.getElementById("data-pairs"), table = document.getElementById("table");
  if (!table) return;
  const data = JSON.parse(source.textContent), step = 50;
  const rows = data.code_a.map((_, i) => Object.fromEntries(Object.keys(data).map((key) => [key, data[key][i]])));
  rows.forEach((row, i) => { row.rank = i; row.words = [row.code_a, row.text_a, row.code_b, row.text_b].join(" ").toLowerCase(); });
  const el = (id) => document.getElementById(id);
  const [search, replicated, effect, shown, more, note] = ["search", "replicated", "effect", "shown", "more", "more-note"].map(el);
  let sort = { key: "rank", down: false }, limit = 25;

  const node = (tag, text, name) => { const one = document.createElement(tag); if (text != null) one.textContent = text; if (name) one.className = name; return one; };
  const cell = (parent, name) => { const one = node("td", null, name); parent.append(one); return one; };
  const code = (row, side, parent) => {
    const place = cell(parent);
    place.append(node("span", row["text_" + side] || row["code_" + side], "name"), node("code", row["code_" + side]));
    if (side === "b" && row.flags) place.append(node("span", row.flags, "flag"));
  };
  const draw = (row) => {
    const line = document.createElement("tr");
    code(row, "a", line); code(row, "b", line);
    cell(line, "n").append(node("b", row.rr_text));
    const place = cell(line, "interval"), bar = node("span", null, "bar"), reach = node("i"), point = node("u");
    reach.style.left = row.left + "%"; reach.style.width = row.width + "%"; point.style.left = row.point + "%";
    bar.append(reach, point); place.append(bar, node("span", row.interval, "ends"));
    [["q_text", "n"], ["persons_text", "n"], ["order", ""], ["lag_text", "n"], ["replicated_text", ""]].forEach(([key, name]) => { cell(line, name).textContent = row[key]; });
    return line;
  };
  const wanted = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => words.every((word) => row.words.includes(word)) && (!replicated.checked || row.replicated === true)
      && (!effect.value || (row.rr > 1) === (effect.value === "more")));
  };
  const compare = (x, y) => {
    const [p, q] = [x[sort.key], y[sort.key]];
    if (p == null || q == null) return (p == null) - (q == null);
    const sign = typeof p === "string" ? p.localeCompare(q) : p - q;
    return (sort.down ? -sign : sign) || x.rank - y.rank;
  };
  const show = () => {
    const found = wanted().sort(compare);
    table.tBodies[0].replaceChildren(...found.slice(0, limit).map(draw));
    shown.textContent = found.length + (found.length === 1 ? " pattern" : " patterns");
    note.textContent = Math.min(limit, found.length) + " of " + found.length + " shown.";
    more.hidden = found.length <= limit;
  };
  table.querySelectorAll("th").forEach((head) => head.querySelector("button").addEventListener("click", () => {
    const key = head.dataset.key;
    sort = { key, down: sort.key === key ? !sort.down : ["rr", "O", "lag"].includes(key) };
    table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    show();
  }));
  [search, replicated, effect].forEach((control) => control.addEventListener("input", () => { limit = 25; show(); }));
  more.addEventListener("click", () => { limit += step; show(); });
  window.addEventListener("beforeprint", () => { limit = Math.max(limit, 40); show(); document.querySelectorAll("details").forEach((one) => { one.open = true; }); });
  document.querySelector(".controls").hidden = false;
  show();
})();
