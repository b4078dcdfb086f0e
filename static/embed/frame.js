// What runs inside an embed. It gets the shop's token from the page around it, changes it for a session that stays in
// this script, and sends that session as a header with all that the buyer does. Nothing is stored, no cookie is used.
(() => {
  const root = document.documentElement;
  const main = document.querySelector("main");
  const base = root.dataset.base;
  const origins = root.dataset.origins.split(" ");
  const panel = location.hash === "#panel"; // Opened by the loader over the seller's page, for one reward.
  let token = null;
  let signedIn = false;
  let roomy = false; // The loader can open such a panel.
  // Frames of ours on one page find each other here, so that one token is enough for all of them.
  window.pointkeeper = { sessions: {} };

  const allowed = (origin) => origins.some((pattern) => {
    const [scheme, host] = pattern.split("://*.");
    return host ? origin.startsWith(`${scheme}://`) && origin.endsWith(`.${host}`) : origin === pattern;
  });
  const tell = (message) => { if (parent !== window) parent.postMessage(message, "*"); };
  const note = (id) => {
    main.querySelectorAll(".note").forEach((old) => old.remove());
    const said = document.getElementById(id).content.firstElementChild.cloneNode(true);
    said.classList.add("note");
    (main.querySelector(".sheet, .panel, .lacquer, .line") || main).prepend(said);
  };

  async function post(path, fields, headers = {}) {
    const answer = await fetch(path, {
      method: "POST", credentials: "omit", headers, body: new URLSearchParams(fields), signal: AbortSignal.timeout(20000),
    });
    if (answer.ok) return answer;
    throw Object.assign(new Error(), { status: answer.status });
  }

  async function begin() {
    return (await (await post(`${base}session/`, { token })).json()).session;
  }

  // Where the session of our token is kept: with the frame of ours that was the first to have it.
  function keeper() {
    for (let index = 0; index < parent.length; index += 1) {
      try {
        const sessions = parent[index].pointkeeper?.sessions;
        if (sessions?.[token]) return sessions;
      } catch { /* A frame of somebody else. */ }
    }
    return window.pointkeeper.sessions;
  }

  async function show(path, fields = {}) {
    main.classList.add("busy");
    try {
      const answer = await post(path, fields, { Authorization: `Bearer ${await keeper()[token]}` });
      const renewed = answer.headers.get("Embed-Session");
      if (renewed) keeper()[token] = renewed;
      main.innerHTML = await answer.text();
      main.querySelector("[data-toggle]")?.setAttribute("aria-expanded", String(document.body.classList.contains("open")));
      main.querySelector("[tabindex='-1']")?.focus();
      grow();
    } catch (error) {
      if (error.status === 401) signedIn = false;
      note({ 401: "ended", 429: "often" }[error.status] || "lost");
    } finally {
      main.classList.remove("busy");
      main.classList.add("ready");
    }
  }

  function grow() {
    const box = main.firstElementChild;
    const still = document.body.classList.contains("float") || box?.classList.contains("own"); // These scroll.
    // In a tab or box that is hidden a frame has no width, and everything in it seems to need more height.
    const more = box && !still && innerWidth > 200 ? box.scrollHeight - box.clientHeight : 0;
    if (more > 1) tell({ pointkeeper: "height", height: Math.ceil(innerHeight + more) });
  }

  addEventListener("message", async (event) => {
    if (event.source !== parent || !allowed(event.origin)) return;
    if (event.data?.pointkeeper === "hello") tell({ pointkeeper: "ready" });
    if (event.data?.pointkeeper === "again" && signedIn) show(`${base}content/`);
    if (event.data?.pointkeeper !== "token" || token) return;
    token = String(event.data.token); // However many scripts of ours the page has, and whoever of us was ready first.
    roomy = Boolean(event.data.roomy);
    const asked = /^reward\/\d+\/$/.test(event.data.open) ? event.data.open : "content/";
    signedIn = true; // What is pressed from now on waits for the session.
    try {
      await (keeper()[token] ??= begin());
    } catch {
      signedIn = false;
      note("refused");
      main.classList.add("ready");
      return;
    }
    show(base + asked);
  });

  document.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (!signedIn || button?.disabled) return;
    if (panel && event.target.action.endsWith("/content/")) {
      tell({ pointkeeper: "close" });
      return;
    }
    if (button) button.disabled = true;
    const fields = Object.fromEntries(new FormData(event.target));
    const ticked = main.querySelector("[name=address]:checked"); // Another number of pieces goes to the same address.
    if ("address" in fields && ticked) fields.address = ticked.value;
    await show(event.target.action, fields);
    if (button) button.disabled = false;
  });

  // A reward opens over the page, and in the floating panel in its place. Where the loader is an older one, it opens in
  // the grid; from a badge, in the store.
  document.addEventListener("click", (event) => {
    const { open } = event.target.closest("[data-open]")?.dataset ?? {};
    const floats = document.body.classList.contains("float");
    if (!open || !signedIn || !(roomy || floats || document.body.classList.contains("rewards"))) return;
    event.preventDefault();
    if (roomy && !floats) tell({ pointkeeper: "panel", path: open });
    else show(base + open);
  });

  document.addEventListener("click", (event) => {
    const knob = event.target.closest("[data-toggle]");
    if (!knob) return;
    const open = document.body.classList.toggle("open");
    document.querySelector("[data-toggle]").setAttribute("aria-expanded", String(open));
    tell({ pointkeeper: "open", open });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel) tell({ pointkeeper: "close" });
    if (event.key === "Escape" && document.body.classList.contains("open")) document.querySelector("[data-toggle]").click();
  });

  new ResizeObserver(grow).observe(main);
  tell({ pointkeeper: "ready" });
})();
