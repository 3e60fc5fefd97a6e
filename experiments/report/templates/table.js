"use strict";
/* Tables whose rows are all in the page: search narrows each, 25 rows show at first. */
document.querySelectorAll("div.rows").forEach((place) => {
  const rows = [...place.querySelector("table").tBodies[0].rows], step = 50;
  const search = place.querySelector("input"), shown = place.querySelector("[role=status]"), more = place.querySelector("button");
  const words = rows.map((row) => row.textContent.toLowerCase());
  let limit = 25;
  const show = () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    rows.forEach((row, i) => { row.hidden = !(asked.every((word) => words[i].includes(word)) && ++found <= limit); });
    shown.textContent = found + (found === 1 ? " row" : " rows");
    more.hidden = found <= limit;
  };
  search.addEventListener("input", () => { limit = 25; show(); });
  more.addEventListener("click", () => { limit += step; show(); });
  place.querySelector(".controls").hidden = false;
  show();
});
