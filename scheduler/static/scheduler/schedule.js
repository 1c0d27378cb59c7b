// The job form: builds expressions, shows the coming fires of what is typed, and examples of a kind's arguments.
"use strict";
(() => {
  function compose(builder) {
    const value = (name) => builder.querySelector(`[data-${name}]`).value;
    const within = (name, low, high) => Math.min(high, Math.max(low, Number.parseInt(value(name), 10) || low));
    const [hour, minute] = (value("time") || "0:0").split(":").map(Number);
    const clock = `0 ${minute} ${hour}`;
    switch (value("mode")) {
      case "minutes":
        return `0 0/${within("every", 1, 59)} * * * ?`;
      case "hours":
        return `0 ${within("minute", 0, 59)} 0/${within("every", 1, 23)} * * ?`;
      case "daily":
        return `${clock} * * ?`;
      case "weekly": {
        const days = [...builder.querySelectorAll("[data-weekday]:checked")].map((box) => box.value);
        return days.length ? `${clock} ? * ${days.join(",")}` : null;
      }
      case "monthly":
        return `${clock} ${value("day")} * ?`;
      case "nth":
        return `${clock} ? * ${value("counted")}${value("count")}`;
      default:
        return null;
    }
  }

  function build(builder) {
    const input = document.getElementById(builder.dataset.builder);
    const show = () => {
      const mode = builder.querySelector("[data-mode]").value;
      for (const part of builder.querySelectorAll("[data-for]")) {
        part.hidden = !part.dataset.for.split(" ").includes(mode);
      }
    };
    builder.addEventListener("input", () => {
      show();
      const expression = compose(builder);
      if (expression === null) return;
      input.value = expression;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    builder.hidden = false;
    show();
  }

  function preview(place) {
    const expression = document.getElementById(place.dataset.expression);
    const zone = document.getElementById(place.dataset.zone);
    const calendars = document.getElementById(place.dataset.calendars);
    const instants = ["run_at", "starts_at", "ends_at"].map((name) => [
      name,
      [0, 1].map((part) => document.getElementById(`id_${name}_${part}`)),
    ]);
    let timer = 0;
    let asked = 0;
    const look = async () => {
      asked += 1;
      const mine = asked;
      const query = new URLSearchParams({ expression: expression.value, zone: zone.value });
      for (const [name, [day, time]] of instants) {
        if (day && time && (day.value || time.value)) query.set(name, `${day.value} ${time.value}`);
      }
      for (const chosen of calendars ? calendars.selectedOptions : []) query.append("calendars", chosen.value);
      try {
        const answer = await fetch(`${place.dataset.preview}?${query}`, { redirect: "error" });
        if (answer.ok && mine === asked) place.innerHTML = await answer.text();
      } catch {
        if (mine === asked) place.textContent = "";
      }
    };
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(look, 250);
    };
    expression.addEventListener("input", later);
    zone.addEventListener("input", later);
    if (calendars) calendars.addEventListener("change", later);
    const typed = instants.flatMap(([, parts]) => parts).filter((part) => part);
    for (const part of typed) {
      // The calendar beside it writes into it without an event, and then puts the focus there.
      for (const event of ["input", "change", "focus"]) part.addEventListener(event, later);
    }
    if (expression.value || typed.some((part) => part.value)) look();
  }

  function examples(all) {
    const kind = document.getElementById("id_kind");
    const show = () => {
      for (const each of all) each.hidden = kind !== null && each.dataset.example !== kind.value;
    };
    for (const each of all) {
      const button = each.querySelector("button");
      button.hidden = false;
      button.addEventListener("click", () => {
        const input = document.getElementById(each.dataset.into);
        input.value = each.querySelector("pre").textContent;
        input.focus();
      });
    }
    if (kind) kind.addEventListener("change", show);
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    examples(document.querySelectorAll("[data-example]"));
    document.querySelectorAll("[data-builder]").forEach(build);
    document.querySelectorAll("[data-preview]").forEach(preview);
  });
})();
