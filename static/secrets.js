// Reveal and copy. Without this module the same forms post, and the answer shows the secret on a page of its own.

const PLACES = "[data-secret]";

/** Ask the server for the secret behind a form; null, after the browser went there itself, when it says no. */
async function ask(form) {
  const answer = await fetch(form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
    redirect: "error",
  }).catch(() => null);
  if (answer?.ok) return (await answer.json()).secret;
  form.submit();
  return null;
}

/** Show `text` wherever the page has a place for this secret; an empty one brings the mask back. */
function show(name, text) {
  for (const place of document.querySelectorAll(PLACES)) {
    if (place.dataset.secret !== name) continue;
    place.dataset.mask ??= place.textContent;
    place.textContent = text || place.dataset.mask;
  }
}

/** Let who hears the page know what has happened; a sentence that stands there already would not be read again. */
function say(sentence) {
  const place = document.getElementById("said");
  place.textContent = "";
  setTimeout(() => (place.textContent = sentence), 100);
}

/** Give a button another verb; the rest of its name says what it is for. Returns that rest. */
function rename(button, verb) {
  button.querySelector("[data-verb]").textContent = verb;
  return button.querySelector(".unseen").textContent.trim();
}

async function toggle(form) {
  const button = form.querySelector("button");
  const shown = button.querySelector("[data-verb]").textContent === "Hide";
  const text = shown ? "" : await ask(form);
  if (text === null) return;
  show(form.dataset.reveal, text);
  const what = rename(button, shown ? "Reveal" : "Hide");
  say(`${shown ? "Hidden" : "Shown"}: ${what}.`);
}

async function copy(button) {
  const form = button.closest("form[data-reveal]");
  const text = form ? await ask(form) : document.getElementById(button.dataset.copy).textContent;
  if (text === null) return;
  const copied = await navigator.clipboard.writeText(text).then(() => true, () => false); // the browser may refuse
  const outcome = copied ? "Copied" : "Not copied";
  say(`${outcome}: ${rename(button, outcome)}.`);
  setTimeout(() => rename(button, "Copy"), 2000);
}

for (const form of document.querySelectorAll("form[data-reveal]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    toggle(form);
  });
}

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
