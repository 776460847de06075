// The chat page. It knows only the wire format of /v1/chat/completions and the reply events in its `medasst` field.
// A conversation lives in this page's memory and nowhere else. Every text from outside is written with textContent.

const $ = (id) => document.getElementById(id);
const copy = (id) => $(id).content.firstElementChild.cloneNode(true);

const SAY = {
  guarded: "带安全规则的助手", bare: "裸模型",
  wait: { guarded: "正在查阅资料…", bare: "模型正在生成…" },
  who: { guarded: "药房助手", bare: "裸模型 · 未经检查" },
  alarm: { emergency: "可能危及生命，请先求助", urgent: "请尽快去医院就诊" },
  otc: { "otc-a": "OTC 甲类", "otc-b": "OTC 乙类" },
  stopped: "已停止回答。",
  failure: {
    context_length_exceeded: "内容太长了，请精简后再发，或开始新对话。",
    request_too_large: "内容太长了，请精简后再发，或开始新对话。",
    overloaded: "现在咨询的人较多，请稍候再试。",
    broken: "连接中断，上面的回答不完整，请重试。",
    loading: "服务正在启动，请稍候再试。",
    stopping: "服务正在停止，请稍后再试。",
    network: "连不上服务，请检查网络后重试。",
    other: "回答时出了问题，请重试。",
  },
};

class Failure extends Error {
  constructor(code) { super(code); this.code = code; }
}

// ---- the wire ----------------------------------------------------------------------------------------------------------

/** Lines of a byte stream. Characters and lines may be cut anywhere between two chunks. */
async function* lines(body) {
  const decoder = new TextDecoder("utf-8");
  const reader = body.getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const whole = rest.split("\n");
    rest = whole.pop();
    yield* whole;
    if (done) return;
  }
}

/** Chunks of one reply. Throws a Failure where the service reports one or the stream breaks off. */
async function* chunks(model, messages, signal) {
  const response = await fetch("v1/chat/completions", {
    method: "POST", signal,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model, messages, stream: true }),
  });
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new Failure(answer.error?.code ?? "other");
  }
  for await (const line of lines(response.body)) {
    if (!line.startsWith("data:")) continue; // blank lines and comments
    const data = line.slice(5).trim();
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Failure(chunk.error.code ?? "other");
    yield chunk;
  }
  throw new Failure("broken");
}

// ---- one reply on the page -----------------------------------------------------------------------------------------------

class Reply {
  constructor(talk) {
    this.talk = talk;
    this.said = ""; // the reply as plain text: what later turns see of it
    this.node = talk.log.appendChild(copy("t-reply"));
    this.node.classList.add(talk.kind);
    this.node.querySelector(".who").textContent = SAY.who[talk.kind];
    this.node.querySelector(".wait span").textContent = SAY.wait[talk.kind];
    this.body = this.node.querySelector(".body");
    this.paragraph = null;
  }

  take(chunk) {
    const content = chunk.choices[0]?.delta?.content ?? "";
    this.said += content;
    if (chunk.medasst) SHOW[chunk.medasst.type]?.(this, chunk.medasst);
    else if (content) this.write(content);
  }

  write(text, rule = null) {
    for (const [i, part] of text.split("\n").entries()) {
      if (i > 0) this.paragraph = null;
      if (!part.trim()) continue;
      this.paragraph ??= this.body.appendChild(document.createElement("p"));
      const piece = this.paragraph.appendChild(document.createElement("span"));
      piece.textContent = part;
      if (rule) { piece.className = "by-rule"; piece.title = "这句话由安全规则写出"; }
    }
  }

  add(node) { this.paragraph = null; return this.body.appendChild(node); }

  say(text, kind) { Object.assign(this.add(document.createElement("p")), { textContent: text, className: kind }); }

  /** Say that it broke off; half an answer is marked as one. */
  fail(error, again) {
    const lost = this.said.trim() ? "broken" : "network";
    const node = this.add(copy("t-failure"));
    node.querySelector("p").textContent = SAY.failure[error instanceof Failure ? error.code : lost] ?? SAY.failure.other;
    node.querySelector("button").onclick = () => { this.node.remove(); again(); };
    this.node.classList.add("partial");
  }
}

/** How each reply event is shown, by its type. */
const SHOW = {
  text: (reply, event) => reply.write(event.sentence, event.replaced_by_rule),

  card(reply, event) {
    // A source that the card folds out itself needs no line of its own.
    if (reply.body.lastElementChild?.dataset.source === event.citation) reply.body.lastElementChild.remove();
    const last = reply.body.lastElementChild;
    const cards = last?.classList.contains("cards") ? last : reply.add(copy("t-cards"));
    const node = copy("t-card");
    const put = (name, text) => { node.querySelector(name).textContent = text; };
    put(".name", event.name);
    put(".price", `¥${Number(event.price).toFixed(2)}`);
    put(".otc", SAY.otc[event.status] ?? event.status);
    put(".facts", [event.form, event.strength, event.pack].filter(Boolean).join(" · "));
    put(".reason", event.reason);
    for (const name of ["how", "caution"]) {
      put(`.${name}`, event[name]);
      node.querySelector(`.${name}`).hidden = !event[name];
    }
    put(".source", event.citation);
    node.querySelector(".otc").dataset.status = event.status;
    node.querySelector("details").hidden = !event.citation;
    cards.append(node);
  },

  citation(reply, event) {
    const source = [event.document, event.section].filter(Boolean).join("·");
    const node = reply.add(copy(event.text ? "t-citation" : "t-source"));
    (node.querySelector("summary") ?? node).textContent = `来源：${source}`;
    if (event.text) node.querySelector("blockquote").textContent = event.text;
    node.dataset.source = source;
  },

  finding(reply, event) {
    if (event.severity in SAY.alarm) reply.talk.raise(event.severity);
    reply.say(event.message, event.severity === "info" ? "info" : `note ${event.severity}`);
  },

  ask(reply, event) {
    const node = reply.add(copy("t-ask"));
    node.querySelector("p").textContent = event.question;
    for (const option of event.options) {
      const button = node.querySelector(".options").appendChild(document.createElement("button"));
      Object.assign(button, { type: "button", textContent: option, onclick: () => ask(option) });
    }
  },

  hand_off: (reply, event) => { reply.add(copy("t-hand-off")).querySelector("p").textContent = event.message; },
};

// ---- conversations ---------------------------------------------------------------------------------------------------------

class Talk {
  constructor(model, kind) {
    Object.assign(this, { model, kind, turns: [], alarms: [], log: document.createElement("div") });
  }

  raise(severity) {
    this.alarms.push(severity);
    showAlarms();
  }
}

const talks = new Map(); // model name → Talk; each model has its own conversation
let talk = new Talk("medasst", "guarded");
let running = null; // the AbortController of the reply in the making

/** Pinned for the rest of the conversation; the words of the rule stand in the reply. */
function showAlarms() {
  const worst = talk.alarms.includes("emergency") ? "emergency" : "urgent";
  const alarm = $("alarm");
  alarm.hidden = talk.alarms.length === 0;
  alarm.dataset.severity = worst;
  alarm.querySelector("strong").textContent = SAY.alarm[worst];
}

function show(next) {
  running?.abort();
  talk = next;
  talks.set(talk.model, talk);
  $("log").replaceChildren(talk.log);
  $("bare-warning").hidden = talk.kind !== "bare";
  refresh();
  showAlarms();
}

function refresh() {
  const empty = !talk.log.firstChild;
  $("welcome").hidden = !empty;
  $("new").hidden = empty;
  $("send").hidden = running !== null;
  $("stop").hidden = running === null;
  $("send").disabled = !$("question").value.trim();
}

/** Put a question: from the box, a suggestion or an option. */
function ask(question) {
  if (!question.trim() || running) return;
  const node = talk.log.appendChild(copy("t-user"));
  node.querySelector("p").textContent = question.trim();
  const turn = { role: "user", content: question.trim() };
  talk.turns.push(turn);
  answer(turn, node);
}

/** Get the reply to a turn. All turns are sent: what was said of allergies or a danger counts however long ago it was. */
async function answer(turn, node) {
  const mine = talk;
  const place = mine.turns.indexOf(turn) + 1;
  const messages = mine.turns.slice(0, place);
  const reply = new Reply(mine);
  const scroll = follow(node);
  running = new AbortController();
  const { signal } = running;
  refresh();
  keepFocus();
  scroll();
  let whole = true;
  try {
    for await (const chunk of chunks(mine.model, messages, signal)) { reply.take(chunk); scroll(); }
  } catch (error) {
    if (signal.aborted) reply.say(SAY.stopped, "info");
    else {
      whole = false; // half an answer is no turn, but what the shopper said stays one
      reply.fail(error, () => answer(turn, node));
    }
  }
  if (whole && reply.said.trim()) mine.turns.splice(place, 0, { role: "assistant", content: reply.said.trim() });
  reply.node.querySelector(".wait").remove();
  if (running?.signal === signal) running = null;
  refresh();
  keepFocus();
  scroll();
}

/** Where the control that had the focus is gone, it goes on to the question; not on a touch screen, where that opens the keyboard. */
function keepFocus() {
  const at = document.activeElement;
  if (at && at !== document.body && at.isConnected && at.getClientRects().length) return;
  $(matchMedia("(pointer: coarse)").matches ? "scroll" : "question").focus({ preventScroll: true });
}

/** A function that scrolls along as a reply grows, never past its question, until the reader scrolls up. */
function follow(question) {
  const inner = getComputedStyle($("scroll")).overflowY === "auto"; // else, where there is little room, the whole page scrolls
  const view = inner ? $("scroll") : document.scrollingElement;
  const above = () => (inner ? view.getBoundingClientRect().top : $("alarm").offsetHeight);
  let last = -Infinity;
  return () => {
    if (view.scrollTop < last - 8) last = Infinity;
    if (last === Infinity) return;
    const top = question.getBoundingClientRect().top - above() + view.scrollTop - 12;
    view.scrollTop = Math.min(top, view.scrollHeight);
    last = view.scrollTop;
  };
}

// ---- the controls ----------------------------------------------------------------------------------------------------------

function submit() {
  const box = $("question");
  if (running || !box.value.trim()) return;
  const question = box.value;
  box.value = "";
  fit();
  ask(question);
}

function fit() {
  const box = $("question");
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 160)}px`;
  refresh();
}

async function offerModels() {
  const { data } = await (await fetch("v1/models")).json();
  for (const { id, medasst } of data) talks.set(id, new Talk(id, medasst.kind));
  $("demonstration").hidden = data.every(({ medasst }) => medasst.mode === "production");
  show(talks.values().next().value);
  const bare = data.filter(({ medasst }) => medasst.kind === "bare").length;
  for (const known of data.length > 1 ? talks.values() : []) {
    const label = $("models").appendChild(document.createElement("label"));
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "model", value: known.model });
    radio.checked = known === talk;
    radio.onchange = () => show(talks.get(known.model));
    label.append(radio, known.kind === "bare" && bare > 1 ? known.model : SAY[known.kind]);
  }
  $("models").hidden = data.length < 2;
}

$("composer").onsubmit = (event) => { event.preventDefault(); submit(); };
$("question").oninput = fit;
$("question").onkeydown = (event) => {
  // While an input method is composing, Enter picks a word; it must not send (229: Safari after composition).
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
};
$("stop").onclick = () => { running?.abort(); $("question").focus(); };
$("new").onclick = () => { show(new Talk(talk.model, talk.kind)); $("question").focus(); };
for (const button of $("suggestions").querySelectorAll("button")) button.onclick = () => ask(button.lastChild.textContent);
offerModels().catch(() => refresh());
