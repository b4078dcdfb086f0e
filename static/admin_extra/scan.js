// Reading a coupon's QR code with the camera, where the browser can by itself. Without this the code is typed.
const scanner = document.querySelector("[data-scan]");
const start = scanner.querySelector("[data-scan-start]");
const video = scanner.querySelector("video");
const field = document.getElementById("id_code");
let stream;

function codeIn(text) {
  try {
    const asked = new URL(text).searchParams.get("code");
    if (asked) return asked;
    return "";
  } catch { /* No address: the code itself. */ }
  const code = text.trim();
  return /^\S{4,64}$/.test(code) ? code : "";
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  video.hidden = true;
  start.hidden = false;
}

async function look(detector) {
  if (!stream) return;
  const found = await detector.detect(video).catch(() => []);
  for (const each of found) {
    const code = codeIn(each.rawValue);
    if (!code) continue;
    stop();
    field.value = code;
    field.form.requestSubmit();
    return;
  }
  requestAnimationFrame(() => look(detector));
}

async function begin() {
  scanner.querySelector("[data-scan-denied]").hidden = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    scanner.querySelector("[data-scan-denied]").hidden = false;
    return;
  }
  start.hidden = true;
  video.hidden = false;
  video.srcObject = stream;
  await video.play();
  look(new BarcodeDetector({ formats: ["qr_code"] }));
}

if ("BarcodeDetector" in window && navigator.mediaDevices) {
  BarcodeDetector.getSupportedFormats().then((formats) => { scanner.hidden = !formats.includes("qr_code"); });
  start.addEventListener("click", begin);
  window.addEventListener("pagehide", stop);
}
