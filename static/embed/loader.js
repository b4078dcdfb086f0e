// What the seller's page loads. It hands the shop's token to the frames, lets a frame that needs more room have it, and
// puts the floating button into its corner. It speaks with frames of its own origin only, and sets no cookie.
(() => {
  const script = document.currentScript;
  const home = new URL(script.src).origin;
  const frames = () => [...document.querySelectorAll("iframe[data-pointkeeper]")];
  const say = (frame, what) => frame.contentWindow?.postMessage({ pointkeeper: what }, "*");
  const roomy = "HTMLDialogElement" in window;

  // A reward that the buyer opens stands over the page until he closes it; nothing of the page moves.
  function panel(opener, path) {
    const dialog = document.createElement("dialog");
    const frame = document.createElement("iframe");
    Object.assign(frame.dataset, { pointkeeper: "panel", open: path, ...(opener.dataset.token && { token: opener.dataset.token }) });
    frame.title = opener.title;
    frame.src = `${opener.src}#panel`;
    Object.assign(frame.style, { display: "block", width: "100%", height: "100%", border: "0", colorScheme: "normal" });
    Object.assign(dialog.style, {
      width: "min(400px, calc(100vw - 16px))", height: "min(620px, calc(100vh - 16px))", maxWidth: "none", maxHeight: "none",
      padding: "0", border: "0", borderRadius: "14px", overflow: "hidden", background: "transparent",
    });
    dialog.append(frame);
    dialog.addEventListener("close", () => { dialog.remove(); say(opener, "again"); });
    document.body.append(dialog);
    dialog.showModal();
  }

  // The floating button has no place in the page's flow, so its frame is made here.
  if (script.dataset.embed) {
    const frame = document.createElement("iframe");
    frame.dataset.pointkeeper = "float";
    frame.title = script.dataset.title || "";
    frame.src = `${home}/embed/${script.dataset.embed}/`;
    if (script.dataset.token) frame.dataset.token = script.dataset.token;
    const height = Number(script.dataset.height) || 560;
    Object.assign(frame.style, {
      position: "fixed", right: "8px", bottom: "8px", border: "0", zIndex: 2147483000, colorScheme: "normal",
      width: "min(376px, calc(100vw - 16px))", height: `min(${height}px, calc(100vh - 16px))`,
      // The whole panel is there from the beginning and only cut away, so that nothing moves when it opens.
      clipPath: "inset(calc(100% - 72px) 0 0 calc(100% - 72px))",
    });
    document.body.append(frame);
  }

  if (!window.pointkeeperLoaded) {
    window.pointkeeperLoaded = true;
    addEventListener("message", (event) => {
      const frame = event.origin === home && frames().find((one) => one.contentWindow === event.source);
      const said = frame && event.data?.pointkeeper;
      if (!said) return;
      const token = frame.dataset.token || document.querySelector("script[data-pointkeeper-token]")?.dataset.pointkeeperToken;
      if (said === "ready" && token) event.source.postMessage({ pointkeeper: "token", token, roomy, open: frame.dataset.open }, home);
      if (said === "panel" && roomy && !document.querySelector("dialog > [data-pointkeeper]")) panel(frame, String(event.data.path));
      if (said === "close") frame.closest("dialog")?.close();
      if (said === "height" && Number(event.data.height) > frame.height) frame.height = Math.min(Number(event.data.height), 2000);
      if (said === "open") frame.style.clipPath = event.data.open ? "none" : "inset(calc(100% - 72px) 0 0 calc(100% - 72px))";
    });
  }
  for (const frame of frames()) {
    // A badge is wider than the narrowest phones; and a frame lies see-through on a dark page only in the usual scheme.
    Object.assign(frame.style, { maxWidth: "100%", colorScheme: "normal" });
    say(frame, "hello");
  }
})();
