// The desk's pages follow by themselves and obey the keyboard. All markup comes from our own server, escaped there.
"use strict";
(() => {
  const $ = (s, at = document) => at.querySelector(s);
  const $$ = (s, at = document) => [...at.querySelectorAll(s)];
  const work = $(".work"), list = $("#cases"), lines = $("#lines"), write = $("#write"), told = $("#told"), live = $("#live");
  const title = document.title;
  const waiting = new Map();
  let quiet;

  const made = (html) => { const t = document.createElement("template"); t.innerHTML = html.trim(); return t.content.firstElementChild; };
  const typing = (e) => e.matches("input:not([type=radio]):not([type=checkbox]),textarea,select");

  // ---- what the server tells
  function inbox(news) {
    const at = document.activeElement?.closest?.("#cases li")?.id;
    for (const [id, html] of Object.entries(news.rows)) {
      const old = $("#c" + id, list), fresh = made(html);
      if (old) old.replaceWith(fresh); else list.append(fresh);
    }
    const wanted = new Set(news.order.map((id) => "c" + id));
    for (const row of [...list.children]) if (!wanted.has(row.id)) row.remove();
    news.order.forEach((id, place) => { const row = $("#c" + id, list); if (row && list.children[place] !== row) list.insertBefore(row, list.children[place] || null); });
    if (at) $("#" + at + " a", list)?.focus({ preventScroll: true });
    $("#none").hidden = news.order.length > 0;
    mark();
  }
  function counts(news) {
    for (const b of $$("[data-count]")) b.textContent = news[b.dataset.count];
    document.title = (news.waiting ? "(" + news.waiting + ") " : "") + title;
  }
  function part(name, html) {
    if (name.startsWith("line-")) return line(name, html);
    const old = $('[data-part="' + name + '"]');
    if (!old) return;
    if (old.contains(document.activeElement) && typing(document.activeElement)) { waiting.set(name, html); return; }
    const key = old.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const opened = $$("details", old).map((d) => d.open);
    old.innerHTML = html;
    $$("details", old).forEach((d, i) => { if (opened[i] !== undefined) d.open = opened[i]; });
    if (key) ($('[data-key="' + key + '"]', old) || $("[data-key]", old))?.focus();
    const version = $("[data-version]", old);
    if (version && $("#version")) $("#version").value = version.dataset.version;
  }
  // Beside the list the lines scroll in their own box; on a phone the page scrolls, and the field covers its end.
  const own = () => getComputedStyle(lines).overflowY !== "visible";
  const left = () => own() ? lines.scrollHeight - lines.scrollTop - lines.clientHeight
    : lines.getBoundingClientRect().bottom + (write?.offsetHeight || 0) - innerHeight;
  const newest = () => own() ? lines.scrollTop = lines.scrollHeight : scrollBy(0, left());
  function line(id, html) {
    const fresh = made(html), old = document.getElementById(id);
    const low = left() < 140;
    // Whoever changes a reply there goes on; the line is drawn when they are done.
    if (old && $(".changes details[open]", old)) { waiting.set(id, html); return; }
    if (old) { const open = $("details", old)?.open; old.className = fresh.className; old.innerHTML = fresh.innerHTML; if (open) $(".state-of details", old)?.toggleAttribute("open", true); }
    else {
      const after = $$("li.line", lines).filter((l) => l.dataset.at <= fresh.dataset.at).pop();
      fresh.classList.add("new");
      if (after) after.after(fresh); else lines.prepend(fresh);
    }
    if (low) newest();
  }
  const drawn = () => setTimeout(() => {
    for (const [name, html] of [...waiting]) { waiting.delete(name); part(name, html); }
  }, 150);
  document.addEventListener("focusout", drawn);

  let source, lost = 0, hidden;
  function listen() {
    if (!work?.dataset.stream || source) return;
    source = new EventSource(work.dataset.stream);
    source.onopen = () => { lost = 0; say_live(true); };
    source.onerror = () => {
      say_live(false);
      if (source.readyState === EventSource.CLOSED || ++lost > 6) { stop(); setTimeout(again, 3000); }
    };
    // A page that comes back has missed things: from now on it is told everything it lacks.
    work.dataset.stream = work.dataset.stream.replace(/&seen=[\d.]+/, "");
    source.addEventListener("end", () => { stop(); setTimeout(again, 400); });
    source.onmessage = (e) => {
      const news = JSON.parse(e.data);
      if (news.inbox && list) inbox(news.inbox);
      if (news.counts) counts(news.counts);
      if (news.headline && $("#headline")) $("#headline").textContent = news.headline;
      for (const [name, html] of Object.entries(news.parts || {})) part(name, html);
    };
  }
  const stop = () => { source?.close(); source = null; };
  async function again() {
    // Signed out, or only a line that broke? A page says which.
    try {
      const answer = await fetch("/desk/here", { headers: { accept: "application/json" } });
      if (answer.status === 401) { location.href = "/desk/sign-in?next=" + encodeURIComponent(location.pathname + location.search); return; }
      listen();
    } catch { setTimeout(again, 4000); }
  }
  function say_live(on) { live.className = "live " + (on ? "on" : "off"); live.textContent = on ? "live" : "connecting …"; }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    // A browser opens six connections to a host: a tab that nobody sees lets its own go after a while.
    if (document.hidden) hidden = setTimeout(stop, 120000); else listen();
  });
  addEventListener("pagehide", stop);

  // ---- acts
  function tell(text, ok) {
    told.textContent = text;
    told.className = "told on " + (ok ? "good" : "bad");
    clearTimeout(quiet);
    if (ok) quiet = setTimeout(() => { told.className = "told"; told.textContent = ""; }, 7000);
  }
  async function send(form, by) {
    const data = new FormData(form);
    if (by?.name) data.set(by.name, by.value);
    const buttons = $$("button", form);
    buttons.forEach((b) => { b.disabled = true; });
    try {
      const answer = await fetch(form.action, { method: "POST", body: data, headers: { accept: "application/json" } });
      if (answer.status === 401) { location.reload(); return false; }
      const type = answer.headers.get("content-type") || "";
      const said = type.includes("json") ? await answer.json() : { ok: false, told: answer.status === 413 ? "That file is too large." : "Not done (" + answer.status + ")." };
      tell(said.told, said.ok);
      return said.ok;
    } catch { tell("The desk cannot be reached. Nothing was sent; your text is still here.", false); return false; }
    finally { buttons.forEach((b) => { b.disabled = false; }); }
  }
  document.addEventListener("submit", async (e) => {
    const form = e.target;
    if (!form.matches("[data-act]")) return;
    e.preventDefault();
    form.closest("dialog")?.close();
    if (document.activeElement && form.contains(document.activeElement) && typing(document.activeElement)) document.activeElement.blur();
    const said = form.matches("[data-undo]") ? $(".said", form.closest("li"))?.textContent : "";
    const done = await send(form, e.submitter);
    if (done && said && window.wismo_again) window.wismo_again(said);
    if (done) form.closest("details")?.removeAttribute("open");
  });

  if (write) {
    const text = $("#text"), file = $("#file"), kept = "draft " + work.dataset.case;
    const mode = () => $("input[name=kind]:checked", write).value;
    const set = (kind) => { $('input[value="' + kind + '"]', write).checked = true; shown(); };
    const shown = () => {
      const reply = mode() === "reply";
      write.dataset.mode = mode();
      $("#attach").hidden = !reply;
      $("#send").textContent = reply ? "Send to the buyer" : "Keep the note";
      text.placeholder = reply ? "To the buyer" : "A note for your colleagues. Press r to write to the buyer.";
    };
    text.value = sessionStorage.getItem(kept) || "";
    text.addEventListener("input", () => sessionStorage.setItem(kept, text.value));
    write.addEventListener("change", (e) => { if (e.target.name === "kind") shown(); });
    write.addEventListener("submit", async (e) => {
      e.preventDefault();
      if (!text.value.trim() && !(mode() === "reply" && file.files.length)) { text.focus(); return; }
      // The field is free at once: whoever writes on before the answer comes loses nothing, and is moved nowhere.
      const said = text.value, kind = mode(), files = file.files, sending = send(write, null);
      text.value = "";
      sessionStorage.removeItem(kept);
      text.focus();
      if (await sending) { if (file.files === files) file.value = ""; newest(); return; }
      text.value = said + (text.value ? "\n" + text.value : "");
      sessionStorage.setItem(kept, text.value);
      // What was meant for colleagues never comes back as a reply.
      set(kind === "reply" && mode() === "reply" ? "reply" : "note");
    });
    text.addEventListener("keydown", (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); write.requestSubmit(); } });
    $("#canned")?.addEventListener("change", (e) => {
      const picked = e.target.selectedOptions[0];
      if (picked?.dataset.text) { text.value = (text.value ? text.value.trimEnd() + "\n" : "") + picked.dataset.text; sessionStorage.setItem(kept, text.value); set("reply"); text.focus(); }
      e.target.value = "";
    });
    document.addEventListener("click", (e) => {
      const use = e.target.closest("[data-use]");
      if (use) { text.value = (text.value ? text.value.trimEnd() + "\n" : "") + use.dataset.use; sessionStorage.setItem(kept, text.value); set("reply"); text.focus(); }
    });
    // What was taken back is not lost: it stands in the field again.
    window.wismo_again = (said) => { text.value = (text.value ? text.value.trimEnd() + "\n" : "") + said; sessionStorage.setItem(kept, text.value); set("reply"); text.focus(); };
    window.wismo_mode = (kind) => { set(kind); text.focus(); };
    shown();
    newest();
  }

  // ---- keys
  function mark() {
    const open = work?.dataset.case;
    for (const a of $$("#cases a")) a.toggleAttribute("aria-current", a.dataset.case === open);
  }
  function step(by) {
    const all = $$("#cases a");
    if (!all.length) return;
    const at = all.findIndex((a) => a === document.activeElement);
    const from = at >= 0 ? at : all.findIndex((a) => a.hasAttribute("aria-current"));
    all[Math.min(all.length - 1, Math.max(0, from < 0 ? 0 : from + by))].focus();
  }
  const press = (key) => $('[data-key="' + key + '"]')?.click();
  const keys = {
    j: () => step(1), k: () => step(-1), "/": () => $("#search")?.focus(), "?": () => $("#keys")?.showModal(), i: () => { location.href = "/desk"; },
    r: () => window.wismo_mode?.("reply"), n: () => window.wismo_mode?.("note"), c: () => $("#canned")?.focus(),
    t: () => press("t"), h: () => press("h"), e: () => press("e"), s: () => press("s"), a: () => press("a"), m: () => press("m"),
  };
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && typing(document.activeElement)) { document.activeElement.blur(); return; }
    if (e.ctrlKey || e.metaKey || e.altKey || typing(document.activeElement) || $("dialog[open]")) return;
    if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
  });
  document.addEventListener("click", (e) => {
    const open = e.target.closest("[data-open]");
    if (open) $("#" + open.dataset.open).showModal();
    if (e.target.closest("[data-close]")) e.target.closest("dialog").close();
  });
  // What opens below the edge is brought up.
  document.addEventListener("toggle", (e) => {
    if (!e.target.closest(".lines")) return;
    if (e.target.open) e.target.scrollIntoView({ block: "nearest" }); else drawn();
  }, true);
  mark();
  if (work?.dataset.stream) { say_live(false); listen(); }
})();
