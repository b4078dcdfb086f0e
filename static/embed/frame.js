// What runs inside an embed. It gets the shop's token from the page around it, changes it for a session that stays in
// this script, and sends that session as a header with all that the buyer does. Nothing is stored, no cookie is used.
(() => {
  const root = document.documentElement;
  const main = document.querySelector("main");
  const base = root.dataset.base;
  const origins = root.dataset.origins.split(" ");
  let session = null;
  let begun = false;
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

  async function begin(token) {
    return (await (await post(`${base}session/`, { token })).json()).session;
  }

  function shared(token) {
    for (let index = 0; index < parent.length; index += 1) {
      try {
        const known = parent[index].pointkeeper?.sessions[token];
        if (known) return known;
      } catch { /* A frame of somebody else. */ }
    }
    window.pointkeeper.sessions[token] = begin(token);
    return window.pointkeeper.sessions[token];
  }

  async function show(path, fields = {}) {
    main.classList.add("busy");
    try {
      const answer = await post(path, fields, { Authorization: `Bearer ${session}` });
      main.innerHTML = await answer.text();
      main.querySelector("[data-toggle]")?.setAttribute("aria-expanded", String(document.body.classList.contains("open")));
      main.querySelector("[tabindex='-1']")?.focus();
      grow();
    } catch (error) {
      if (error.status === 401) session = null;
      note({ 401: "ended", 429: "often" }[error.status] || "lost");
    } finally {
      main.classList.remove("busy");
    }
  }

  function grow() {
    const box = main.firstElementChild;
    const more = box && !document.body.classList.contains("float") ? box.scrollHeight - box.clientHeight : 0;
    if (more > 1) tell({ pointkeeper: "height", height: Math.ceil(innerHeight + more) });
  }

  addEventListener("message", async (event) => {
    if (event.source !== parent || !allowed(event.origin)) return;
    if (event.data?.pointkeeper === "hello") tell({ pointkeeper: "ready" });
    if (event.data?.pointkeeper !== "token" || begun) return;
    begun = true; // However many scripts of ours the page has, and whoever of us was ready first.
    try {
      session = await shared(String(event.data.token));
    } catch {
      note("refused");
      return;
    }
    show(`${base}content/`);
  });

  document.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (!session || button?.disabled) return;
    if (button) button.disabled = true;
    await show(event.target.action, Object.fromEntries(new FormData(event.target)));
    if (button) button.disabled = false;
  });

  document.addEventListener("click", (event) => {
    const knob = event.target.closest("[data-toggle]");
    if (!knob) return;
    const open = document.body.classList.toggle("open");
    document.querySelector("[data-toggle]").setAttribute("aria-expanded", String(open));
    tell({ pointkeeper: "open", open });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("open")) document.querySelector("[data-toggle]").click();
  });

  new ResizeObserver(grow).observe(main);
  tell({ pointkeeper: "ready" });
})();
