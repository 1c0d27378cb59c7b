// The console's script: viewers' own times, distances from now, and parts that refresh themselves.
"use strict";
(() => {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  function spoken(seconds) {
    if (seconds < 1) return "0 s";
    for (let i = 0; i < units.length; i += 1) {
      const [size, unit] = units[i];
      if (seconds < size) continue;
      const next = units[i + 1];
      const rest = next ? Math.floor((seconds % size) / next[0]) : 0;
      return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${next[1]}` : ""}`;
    }
    return "";
  }

  function tellTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      if ("ago" in time.dataset) {
        const seconds = (at - Date.now()) / 1000;
        time.textContent = seconds > 0 ? `in ${spoken(seconds)}` : `${spoken(-seconds)} ago`;
      } else if ("due" in time.dataset) {
        const seconds = (at - Date.now()) / 1000;
        time.textContent = seconds > 0 ? `in ${spoken(seconds)}` : `due for ${spoken(-seconds)}`;
        time.classList.toggle("c-bad", seconds < -60);
      } else if ("here" in time.dataset) {
        // Sweden writes instants the way ISO 8601 does.
        time.textContent = at.toLocaleString("sv-SE");
      } else if (!time.title) {
        time.title = `${at.toLocaleString()} here`;
      }
    }
  }

  function nameZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const place of document.querySelectorAll("[data-zone-here]")) place.textContent = `Here (${zone})`;
  }

  async function refresh(part) {
    if (document.hidden) return;
    let answer;
    try {
      answer = await fetch(part.dataset.refresh, { headers: { "X-Requested-With": "fetch" }, redirect: "error" });
    } catch {
      part.classList.add("c-stale");
      return;
    }
    if (!answer.ok) {
      part.classList.add("c-stale");
      return;
    }
    if (answer.headers.get("X-Refresh") === "done") {
      await renew(part);
      return;
    }
    part.classList.remove("c-stale");
    replace(part, await answer.text());
  }

  // It is over: what the whole page now shows takes the place of this part and of what changes with it. All else stays,
  // with what is open and what was typed there.
  async function renew(part) {
    let text;
    try {
      const answer = await fetch(part.dataset.whole, { redirect: "error" });
      if (!answer.ok) throw new Error(answer.statusText);
      text = await answer.text();
    } catch {
      part.classList.add("c-stale");
      return;
    }
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const old of document.querySelectorAll("[data-renewed]")) {
      const found = page.querySelector(`[data-renewed="${old.dataset.renewed}"]`);
      if (!found) continue;
      old.replaceWith(found);
      prepare(found);
    }
  }

  // New content keeps what the viewer had: the place scrolled to and the link in focus. A selection is left alone.
  function replace(part, text) {
    const selection = window.getSelection();
    if (!selection.isCollapsed && part.contains(selection.anchorNode)) return;
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const scrolled = [...part.querySelectorAll(".c-scroll")].map((place) => place.scrollLeft);
    part.innerHTML = text;
    part.querySelectorAll(".c-scroll").forEach((place, i) => {
      place.scrollLeft = scrolled[i] || 0;
    });
    prepare(part);
    if (focused) {
      const link = [...part.querySelectorAll("a[href]")].find((each) => each.getAttribute("href") === focused);
      if (link) link.focus({ preventScroll: true });
    }
  }

  // What scrolls can be reached by keyboard; what does not scroll is no stop on the way.
  function reachable(root) {
    for (const place of root.querySelectorAll(".c-scroll, .c-pre")) {
      const scrolls = place.scrollWidth > place.clientWidth || place.scrollHeight > place.clientHeight;
      if (scrolls) place.tabIndex = 0;
      else place.removeAttribute("tabindex");
    }
  }

  // Where time goes from left to right, now is at the right end.
  function showNewest() {
    for (const chart of document.querySelectorAll(".c-scroll > [data-newest-last]")) {
      chart.parentElement.scrollLeft = chart.parentElement.scrollWidth;
    }
  }

  function prepare(root) {
    tellTimes(root);
    reachable(root);
  }

  // Roles that the theme's own markup lacks.
  function nameParts() {
    const content = document.getElementById("content");
    if (content) content.setAttribute("role", "main");
    for (const help of document.querySelectorAll(".help-tooltip[aria-label]")) help.setAttribute("role", "img");
    for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
      const name = select.labels[0] ? select.labels[0].innerText.trim() : select.name;
      const parts = ".select2-selection, .select2-selection__rendered[role], .select2-search__field";
      for (const part of select.nextElementSibling.querySelectorAll(parts)) part.setAttribute("aria-label", name);
    }
  }

  // Lists are searched while one types: the next page is fetched, and its rows put in the place of these.
  function searchAsTyped(form) {
    const input = form.querySelector("#searchbar");
    let timer = 0;
    let asked = null;

    async function search() {
      if (asked) asked.abort();
      asked = new AbortController();
      const address = `${window.location.pathname}?${new URLSearchParams(new FormData(form))}`;
      let text;
      try {
        const answer = await fetch(address, { signal: asked.signal, redirect: "error" });
        if (!answer.ok) return;
        text = await answer.text();
      } catch {
        return;
      }
      const page = new DOMParser().parseFromString(text, "text/html");
      const [rows, found] = [document, page].map((root) => root.getElementById("changelist-form"));
      if (!rows || !found) return;
      rows.replaceChildren(...found.childNodes);
      const [pages, newPages] = [document, page].map((root) => root.querySelector("[data-pages]"));
      if (pages && newPages) pages.replaceChildren(...newPages.childNodes);
      window.history.replaceState(null, "", address);
      tellTimes(rows);
      const boxes = rows.querySelectorAll("tr input.action-select");
      if (window.Actions && boxes.length) {
        window.Actions(boxes, { parent: rows.closest(".result-list-wrapper") });
      }
    }

    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(search, 250);
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("changelist-search");
    if (form && form.querySelector("#searchbar")) searchAsTyped(form);
    nameParts();
    nameZone();
    showNewest();
    prepare(document);
    window.addEventListener("load", nameParts);
    // What selects are made into is made by jQuery's own queue, in which this comes last.
    if (window.django && window.django.jQuery) window.django.jQuery(nameParts);
    window.addEventListener("resize", () => reachable(document));
    setInterval(() => tellTimes(document), 1000);
    for (const part of document.querySelectorAll("[data-refresh]")) {
      let busy = false;
      const timer = setInterval(async () => {
        if (!part.isConnected) clearInterval(timer);
        if (busy || !part.isConnected) return;
        busy = true;
        try {
          await refresh(part);
        } finally {
          busy = false;
        }
      }, Number(part.dataset.seconds) * 1000);
    }
  });
})();
