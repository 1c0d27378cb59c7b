// The form of a calendar: shows the coming closed days of what is typed, before it is saved.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const place = document.querySelector("[data-closed-days]");
  const form = document.getElementById("calendar_form");
  if (!place || !form || !form.elements.namedItem("dates")) return;
  let timer = 0;
  let asked = 0;
  const look = async () => {
    asked += 1;
    const mine = asked;
    const body = new FormData(form);
    body.set("calendar", place.dataset.calendar);
    try {
      const answer = await fetch(place.dataset.closedDays, { method: "POST", body, redirect: "error" });
      if (answer.ok && mine === asked) place.innerHTML = await answer.text();
    } catch {
      if (mine === asked) place.textContent = "";
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, 400);
  });
  if (!place.dataset.calendar) look();
});
