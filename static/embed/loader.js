// What the seller's page loads. It hands the shop's token to the frames, lets a frame that needs more room have it, and
// puts the floating button into its corner. It speaks with frames of its own origin only, and sets no cookie.
(() => {
  const script = document.currentScript;
  const home = new URL(script.src).origin;
  const frames = () => [...document.querySelectorAll("iframe[data-pointkeeper]")];
  const say = (frame, what) => frame.contentWindow?.postMessage({ pointkeeper: what }, "*");

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
      if (said === "ready" && token) event.source.postMessage({ pointkeeper: "token", token }, home);
      if (said === "height" && Number(event.data.height) > frame.height) frame.height = Math.min(Number(event.data.height), 2000);
      if (said === "open") frame.style.clipPath = event.data.open ? "none" : "inset(calc(100% - 72px) 0 0 calc(100% - 72px))";
    });
  }
  for (const frame of frames()) say(frame, "hello");
})();
