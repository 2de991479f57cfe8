// Optional features of an article: pictures one at a time, and reading aloud. Without this script neither has a control.
const article = document.querySelector("main article");

// A picture is a link to itself. With this script the link opens all pictures of the article, one at a time.
const gallery = document.querySelector("dialog.gallery");
const links = article ? [...article.querySelectorAll("a.zoom")] : [];
if (gallery?.showModal && links.length) {
  const place = gallery.querySelector("figure");
  const steps = { previous: gallery.querySelector('[data-do="previous"]'), next: gallery.querySelector('[data-do="next"]') };
  let shown = 0;
  // The sources are those of the figure, of which the browser takes what suits the whole screen.
  const copyOf = (link) => {
    const copy = link.firstElementChild.cloneNode(true);
    for (const part of [copy, ...copy.children]) if (part.hasAttribute("sizes")) part.sizes = "100vw";
    const image = copy.matches("img") ? copy : copy.querySelector("img");
    image.loading = "eager";
    image.removeAttribute("class");
    return copy;
  };
  const show = (number) => {
    if (number < 0 || number >= links.length) return;
    shown = number;
    const caption = links[shown].closest("figure").querySelector("figcaption");
    const position = place.querySelector(".position");
    position.lastChild.data = ` ${shown + 1} / ${links.length}`;
    const told = caption ? [caption.cloneNode(true)] : [];
    place.replaceChildren(position, copyOf(links[shown]), ...told);
    for (const one of told) if (one.scrollHeight > one.clientHeight) one.tabIndex = 0; // scrolls by keyboard, too
    // Not `disabled`: the button that is pressed at the end would lose the focus.
    steps.previous.setAttribute("aria-disabled", String(shown === 0));
    steps.next.setAttribute("aria-disabled", String(shown === links.length - 1));
    if (links[shown + 1]) copyOf(links[shown + 1]); // is loaded meanwhile
  };
  const keys = {
    ArrowLeft: () => show(shown - 1),
    ArrowRight: () => show(shown + 1),
    Home: () => show(0),
    End: () => show(links.length - 1),
  };
  gallery.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  gallery.addEventListener("click", (event) => {
    const act = event.target.closest("[data-do]")?.dataset.do;
    if (act === "previous") keys.ArrowLeft();
    else if (act === "next") keys.ArrowRight();
    else if (act === "close" || event.target === gallery || event.target === place) gallery.close();
  });
  let touched = null;
  gallery.addEventListener("pointerdown", (event) => {
    touched = event.pointerType !== "mouse" && event.isPrimary && (visualViewport?.scale ?? 1) <= 1.05 ? event : null;
  });
  gallery.addEventListener("pointerup", (event) => {
    if (!touched) return;
    const [across, down] = [event.clientX - touched.clientX, event.clientY - touched.clientY];
    touched = null;
    if (Math.abs(across) > 48 && Math.abs(across) > 1.5 * Math.abs(down)) show(shown + (across < 0 ? 1 : -1));
  });
  gallery.addEventListener("pointercancel", () => (touched = null));
  gallery.addEventListener("close", () => place.replaceChildren(place.querySelector(".position")));
  for (const buttons of Object.values(steps)) buttons.hidden = links.length === 1;
  links.forEach((link, number) => {
    link.setAttribute("aria-haspopup", "dialog");
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // into a tab of its own
      event.preventDefault();
      gallery.showModal();
      show(number);
    });
  });
}

// Reading aloud: sentence by sentence, as browsers end long ones early. A pause remembers the sentence, as some phones
// cannot pause a voice.
const listen = document.querySelector(".listen");
if (article && listen && window.speechSynthesis) {
  const language = article.closest("[lang]").lang.toLowerCase().split("-")[0];
  const SPOKEN = ":scope > header > :is(h1, .subtitle, .lead), :scope > :is(p:not([class]), .correction, h2, h3, h4), :scope > :is(ul, ol) li, :scope > blockquote :is(p, cite)";
  const PIECE = 200;
  const [toggle, end] = listen.querySelectorAll("button");
  let pieces = [];
  let at = 0;
  let speaking = null; // kept, as some browsers forget an utterance that nothing refers to
  const voice = () => {
    const fitting = speechSynthesis.getVoices().filter((one) => one.lang.toLowerCase().split(/[-_]/)[0] === language);
    return fitting.find((one) => one.default) || fitting.find((one) => one.localService) || fitting[0];
  };
  const textOf = (part) => [...part.childNodes].filter((one) => !/^[uo]l$/.test(one.localName)).map((one) => one.textContent).join("");
  const sentences = (text) => (Intl.Segmenter
    ? Array.from(new Intl.Segmenter(language, { granularity: "sentence" }).segment(text), (one) => one.segment)
    : text.match(/[^.!?…]+[.!?…]*\s*/g) || []);
  const cut = (text) => {
    const found = [""];
    for (const sentence of sentences(text)) {
      for (const part of sentence.match(new RegExp(`.{1,${PIECE}}(?:[\\s,;:]|$)|.{1,${PIECE}}`, "gsu")) || []) {
        if (found.at(-1).length + part.length > PIECE) found.push("");
        found.push(found.pop() + part);
      }
    }
    return found.map((one) => one.trim()).filter(Boolean);
  };
  const mark = (part) => {
    article.querySelector(".spoken")?.classList.remove("spoken");
    part?.classList.add("spoken");
  };
  const tell = (state) => {
    toggle.textContent = listen.dataset[state];
    listen.dataset.state = state;
    end.hidden = state === "listen";
  };
  const hush = () => {
    speaking = null;
    speechSynthesis.cancel();
  };
  const stop = () => {
    hush();
    at = 0;
    mark(null);
    if (document.activeElement === end) toggle.focus();
    tell("listen");
  };
  const speak = () => {
    if (at >= pieces.length) return stop();
    const one = speaking = new SpeechSynthesisUtterance(pieces[at].text);
    one.voice = voice() || null;
    one.lang = one.voice?.lang || language;
    one.onend = () => {
      if (speaking !== one) return;
      at += 1;
      speak();
    };
    one.onerror = () => speaking === one && stop();
    mark(pieces[at].part);
    speechSynthesis.speak(one);
  };
  toggle.addEventListener("click", () => {
    if (speaking) {
      hush();
      return tell("resume");
    }
    if (at === 0) pieces = [...article.querySelectorAll(SPOKEN)].flatMap((part) => cut(textOf(part)).map((text) => ({ part, text })));
    tell("pause");
    speechSynthesis.cancel();
    return speak();
  });
  end.addEventListener("click", stop);
  addEventListener("pagehide", hush);
  const offer = () => (listen.hidden = !voice() && !speaking);
  speechSynthesis.addEventListener?.("voiceschanged", offer);
  tell("listen");
  offer();
}
