// The page works without this. With it, sorting, filtering and turning pages
// replace the list of clients in place, and the list follows the typing.
(() => {
  "use strict";
  document.getElementById("message")?.addEventListener("focus", (event) => event.target.select());

  const section = () => document.getElementById("clients");
  if (!section()) return;

  let latest = 0;
  async function show(url, push) {
    const turn = ++latest;
    section().setAttribute("aria-busy", "true");
    let page;
    try {
      const answer = await fetch(url, { headers: { Accept: "text/html" } });
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      location.assign(url);
      return;
    }
    if (turn !== latest) return; // a newer one is on its way
    const fresh = page.getElementById("clients");
    if (!fresh) {
      location.assign(url);
      return;
    }
    // The form stays, and with it the cursor of whoever is typing in it.
    const focus = document.activeElement && document.activeElement.closest("th") ? document.activeElement.closest("th").className : "";
    const form = document.getElementById("find");
    const next = fresh.querySelector("#find");
    for (const select of next.querySelectorAll("select")) {
      form.elements[select.name].value = select.value;
    }
    for (const name of ["sort", "order"]) {
      form.querySelector(`input[name="${name}"]`)?.remove();
      const hidden = next.querySelector(`input[name="${name}"]`);
      if (hidden) form.append(hidden);
    }
    if (document.activeElement !== form.elements.q) form.elements.q.value = next.elements.q.value;
    for (const node of [...section().children]) {
      if (!node.matches(".find")) node.remove();
    }
    for (const node of [...fresh.children]) {
      if (!node.matches(".find")) section().append(node);
    }
    document.getElementById("matching").textContent = fresh.querySelector("#matching").textContent;
    document.querySelector(".states").replaceWith(page.querySelector(".states"));
    section().removeAttribute("aria-busy");
    if (focus) section().querySelector(`th.${CSS.escape(focus)} a`)?.focus();
    if (push) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  }

  function formURL() {
    const query = new URLSearchParams(new FormData(document.getElementById("find")));
    for (const [key, value] of [...query]) if (!value) query.delete(key);
    return "/" + (query.size ? "?" + query : "") + "#clients";
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("#clients thead a, #clients .pages a, .states a, #find a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.closest("#find")) document.getElementById("q").value = "";
    show(link.href, true);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "find") return;
    event.preventDefault();
    show(formURL(), true);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("#find select")) show(formURL(), true);
  });
  let typing;
  document.addEventListener("input", (event) => {
    if (event.target.id !== "q") return;
    clearTimeout(typing);
    typing = setTimeout(() => show(formURL(), false), 250);
  });
  addEventListener("popstate", () => show(location.href, false));
})();
