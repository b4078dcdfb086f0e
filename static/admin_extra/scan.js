// Reading a coupon's QR code with the camera, where the browser can do that by itself. Otherwise the code is typed, and
// the page says so.
(function () {
  "use strict";

  const scanner = document.querySelector("[data-scan]");
  if (!scanner) return;
  const begins = scanner.querySelector("[data-scan-start]");
  const ends = scanner.querySelector("[data-scan-stop]");
  const video = scanner.querySelector("video");
  const field = document.getElementById("id_code");
  let stream;

  function say(which) {
    for (const note of scanner.querySelectorAll("[data-scan-note]")) note.hidden = note.dataset.scanNote !== which;
    scanner.hidden = false;
  }

  function codeIn(text) {
    try {
      return new URL(text).searchParams.get("code") || "";
    } catch { /* No address: the code itself. */ }
    const code = text.trim();
    return /^\S{4,64}$/.test(code) ? code : "";
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = undefined;
    video.hidden = ends.hidden = true;
    begins.hidden = false;
  }

  async function look(detector) {
    if (!stream) return;
    const found = await detector.detect(video).catch(() => []);
    for (const each of stream ? found : []) {
      const code = codeIn(each.rawValue);
      if (!code) {
        say("strange");
        continue;
      }
      stop();
      field.value = code;
      field.form.requestSubmit();
      return;
    }
    requestAnimationFrame(() => look(detector));
  }

  async function begin() {
    say("");
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      begins.hidden = true;
      video.hidden = ends.hidden = false;
      video.srcObject = stream;
      await video.play();
    } catch {
      stop();
      say("denied");
      field.focus();
      return;
    }
    look(new BarcodeDetector({ formats: ["qr_code"] }));
  }

  async function offer() {
    const formats = "BarcodeDetector" in window && navigator.mediaDevices
      ? await BarcodeDetector.getSupportedFormats().catch(() => [])
      : [];
    if (!formats.includes("qr_code")) {
      say("missing");
      return;
    }
    scanner.querySelector("[data-scan-buttons]").hidden = false;
    begins.addEventListener("click", begin);
    ends.addEventListener("click", stop);
    window.addEventListener("pagehide", stop);
    scanner.hidden = false;
  }

  offer();
})();
