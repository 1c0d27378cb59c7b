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
      } else if ("here" in time.dataset) {
        time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
      } else if (!time.title) {
        time.title = `${at.toLocaleString()} here`;
      }
    }
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
      window.location.reload();
      return;
    }
    part.classList.remove("c-stale");
    part.innerHTML = await answer.text();
    tellTimes(part);
  }

  document.addEventListener("DOMContentLoaded", () => {
    tellTimes(document);
    setInterval(() => tellTimes(document), 1000);
    for (const part of document.querySelectorAll("[data-refresh]")) {
      let busy = false;
      setInterval(async () => {
        if (busy) return;
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
