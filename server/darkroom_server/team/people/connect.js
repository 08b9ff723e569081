"use strict";
const of = (name) => document.getElementById(name);
const say = (words) => { of("voice").textContent = words; };

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
    say("Copied.");
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
    say("Select and copy it yourself: this browser does not allow it.");
  }
});

const MOST_BYTES = Number(of("drop").dataset.most);

async function sent(file) {
  const headers = { "X-Form-Token": of("drop").dataset.token, "Content-Type": "application/octet-stream" };
  const answer = await fetch("/uploads", { method: "POST", headers, body: file });
  if (answer.status === 401) location.reload();
  return answer.json();
}

async function add(files) {
  for (const file of files) {
    say(`Sending ${file.name || "the picture"} …`);
    let told = { problem: "The server did not answer. Try again." };
    if (file.size > MOST_BYTES) told = { problem: `${file.name} is larger than ${Math.round(MOST_BYTES / 2 ** 20)} MiB, the most that is taken.` };
    else try { told = await sent(file); } catch { /* what is told already says it */ }
    of("trouble").textContent = told.problem || "";
    of("trouble").hidden = !told.problem;
    say(told.problem ? "" : "Added. Give the words beside it to your assistant.");
    if (!told.problem) show(file, told);
  }
}

function show(file, told) {
  const row = of("row").content.cloneNode(true);
  const image = row.querySelector("img");
  image.src = URL.createObjectURL(file);
  image.alt = file.name || "Pasted picture";
  row.querySelector("pre").textContent = told.words;
  of("added").prepend(row);
}

of("file").addEventListener("change", async (event) => {
  await add([...event.target.files]);
  event.target.value = "";
});
const drop = of("drop");
for (const kind of ["dragover", "drop", "dragleave"])
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("is-over", kind === "dragover");
    if (kind === "drop") add([...event.dataTransfer.files]);
  });
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) add([...event.clipboardData.files]);
});
