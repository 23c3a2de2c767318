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

async function toggle(form) {
  const button = form.querySelector("button");
  const shown = button.textContent === "Hide";
  const text = shown ? "" : await ask(form);
  if (text === null) return;
  show(form.dataset.reveal, text);
  button.textContent = shown ? "Reveal" : "Hide";
}

async function copy(button) {
  const form = button.closest("form[data-reveal]");
  const text = form ? await ask(form) : document.getElementById(button.dataset.copy).textContent;
  if (text === null) return;
  const copied = await navigator.clipboard.writeText(text).then(() => true, () => false); // the browser may refuse
  button.textContent = copied ? "Copied" : "Not copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
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
