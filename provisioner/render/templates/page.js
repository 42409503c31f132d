(() => {
  "use strict";
  const changes = [...document.querySelectorAll("details.change")];
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const chips = [...document.querySelectorAll(".chip")];

  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.matches("details.change")) {
      target.hidden = false;
      target.open = true;
      target.querySelector("summary").focus();
    }
  };
  addEventListener("hashchange", unfold);
  unfold();

  // Printed is everything that is not filtered away, folded or not.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((each) => { each.open = false; }));

  if (!search) return;
  document.getElementById("tools").hidden = false;
  const texts = new Map();
  const textOf = (change) => {
    if (!texts.has(change)) texts.set(change, change.textContent.toLowerCase());
    return texts.get(change);
  };

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const off = new Set(chips.filter((chip) => chip.ariaPressed === "false").map((chip) => chip.dataset.action));
    let number = 0;
    for (const change of changes) {
      const fits = !off.has(change.dataset.action) && words.every((word) => textOf(change).includes(word));
      change.hidden = !fits;
      number += fits;
    }
    const isAll = number === changes.length;
    found.textContent = isAll ? "" : `${number} of ${changes.length} changes shown`;
  };

  search.addEventListener("input", filter);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.ariaPressed = chip.ariaPressed === "true" ? "false" : "true";
      filter();
    });
  }
  document.getElementById("open-all").addEventListener("click", () => changes.forEach((each) => { each.open = true; }));
  document.getElementById("close-all").addEventListener("click", () => changes.forEach((each) => { each.open = false; }));

  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && document.activeElement === search) {
      search.value = "";
      filter();
      search.blur();
    }
  });
})();
