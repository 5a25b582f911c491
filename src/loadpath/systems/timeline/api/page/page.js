// The page over the API: sign in, write, follow, and a home timeline that keeps itself up to date.
// Whatever a user wrote enters the document as text only (textContent), never as markup.

const LONGEST = 280;
const PAGE = 20;
const MOST_SHOWN = 500;
const FASTEST = 1_000; // ms between two looks at the timeline while things happen
const QUIET = 2_000; // ms after a long silence: still live
const SLOWEST = 15_000; // ms while the server has trouble
const SAVED = "loadpath.session";

const byId = (id) => document.getElementById(id);
const state = {
  session: restored(),
  view: { kind: "home" },
  posts: [], // newest first
  cursor: null,
  draft: null, // the text on its way, and its idempotency key
  pause: FASTEST,
  timer: 0,
  round: 0, // answers of an earlier view are ignored
};

/** An answer that is no success: the problem document, or what stands in for one. */
class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body.detail ?? "The server did not answer as expected.");
    this.status = status;
    this.field = body.field;
    this.retryAfter = retryAfter;
  }
}

function restored() {
  try {
    return JSON.parse(sessionStorage.getItem(SAVED));
  } catch {
    return null;
  }
}

function remember(session) {
  state.session = session;
  if (session) sessionStorage.setItem(SAVED, JSON.stringify(session));
  else sessionStorage.removeItem(SAVED);
}

async function ask(method, path, { body, headers = {} } = {}) {
  const sent = { ...headers };
  if (state.session) sent.Authorization = `Bearer ${state.session.token}`;
  if (body) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body: body && JSON.stringify(body) });
  } catch {
    throw new Problem(0, { detail: "The server cannot be reached. Trying again helps." }, 1);
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const document_ = await response.json().catch(() => ({}));
  const problem = new Problem(
    response.status,
    document_,
    Number(response.headers.get("Retry-After")) || 0,
  );
  if (response.status === 401 && state.session) signOut();
  throw problem;
}

/** Ask again with the same key while the server says that trying later helps. */
async function askUntilKnown(method, path, request, tries = 4) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask(method, path, request);
    } catch (problem) {
      const temporary = problem.status === 503 || problem.status === 0;
      if (!temporary || attempt === tries) throw problem;
      await new Promise((resolve) => setTimeout(resolve, problem.retryAfter * 1000 || 1000));
    }
  }
}

function say(problem) {
  const place = byId("problem");
  place.textContent = problem ? problem.message : "";
  place.hidden = !problem;
  for (const field of document.querySelectorAll("input, textarea")) {
    field.removeAttribute("aria-invalid");
  }
  const wrong = problem?.field && document.querySelector(`[name="${CSS.escape(problem.field)}"]`);
  if (wrong && wrong.offsetParent) {
    wrong.setAttribute("aria-invalid", "true");
    wrong.focus();
  }
}

/** Run what a button or form does: one at a time, and its problem is shown. */
async function act(form, work) {
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  say(null);
  try {
    await work();
  } catch (problem) {
    say(problem);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

async function signIn(name, password, isNew) {
  const body = { name, password };
  if (isNew) await ask("POST", "/users", { body });
  remember(await ask("POST", "/sessions", { body }));
  byId("sign-in").reset();
  show({ kind: "home" });
}

function signOut() {
  remember(null);
  clearTimeout(state.timer);
  state.round += 1;
  render();
}

function newKey() {
  return [...crypto.getRandomValues(new Uint32Array(4))].join("-");
}

async function write(text) {
  // The key stays with the text until it is posted: however often it is sent, it is there once.
  if (state.draft?.text !== text) state.draft = { text, key: newKey() };
  const headers = { "Idempotency-Key": state.draft.key };
  const post = await askUntilKnown("POST", "/posts", { body: { text }, headers });
  state.draft = null;
  byId("text").value = "";
  countDown();
  if (state.view.kind === "own") merge([post]);
}

function pathOf(view, cursor) {
  const query = new URLSearchParams({ limit: PAGE });
  if (cursor) query.set("cursor", cursor);
  if (view.kind === "home") return `/timelines/home?${query}`;
  const name = view.kind === "own" ? state.session.user : view.name;
  return `/users/${encodeURIComponent(name)}/posts?${query}`;
}

/** Show another list from its top. */
function show(view) {
  state.view = view;
  state.posts = [];
  state.cursor = null;
  state.pause = FASTEST;
  state.round += 1;
  say(null);
  render();
  look();
}

/** Look for news, and come back sooner or later, as things happen. */
async function look() {
  clearTimeout(state.timer);
  if (!state.session || document.hidden) return;
  const { round, view } = state;
  try {
    const first = state.posts.length === 0;
    const page = await ask("GET", pathOf(view, null));
    if (round !== state.round) return;
    const found = merge(page.posts);
    if (first) state.cursor = page.next_cursor;
    // More news than fit in one page: what is shown would have a hole, so begin anew.
    if (!first && found === page.posts.length && page.next_cursor) {
      state.posts = page.posts;
      state.cursor = page.next_cursor;
    }
    state.pause = found ? FASTEST : Math.min(QUIET, state.pause * 1.4);
    byId("live").textContent = "Live";
    render();
  } catch (problem) {
    if (round !== state.round) return;
    if (problem.status !== 503 && problem.status !== 0) {
      say(problem);
      return;
    }
    state.pause = Math.min(SLOWEST, Math.max(state.pause * 2, problem.retryAfter * 1000));
    byId("live").textContent = "Waiting for the server…";
  }
  // No two pages look at the same moment for ever.
  state.timer = setTimeout(look, state.pause * (0.8 + Math.random() * 0.4));
}

async function older() {
  const { round, view, cursor } = state;
  const page = await ask("GET", pathOf(view, cursor));
  if (round !== state.round) return;
  merge(page.posts);
  state.cursor = page.next_cursor;
  render();
}

/** Add posts that are not shown yet, newest first, and return how many there were. */
function merge(posts) {
  const known = new Set(state.posts.map((post) => post.id));
  const fresh = posts.filter((post) => !known.has(post.id));
  const order = (a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1);
  state.posts = [...state.posts, ...fresh].sort(order).slice(0, MOST_SHOWN);
  if (fresh.length) render();
  return fresh.length;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function drawn(post) {
  const item = byId("post").content.firstElementChild.cloneNode(true);
  item.dataset.id = post.id;
  const author = item.querySelector(".author");
  author.textContent = post.author;
  author.setAttribute("aria-label", `Show ${post.author}`);
  author.addEventListener("click", () => visit(post.author));
  const time = item.querySelector("time");
  time.dateTime = post.created_at;
  time.textContent = clock.format(new Date(post.created_at));
  item.querySelector(".text").textContent = post.text;
  return item;
}

/** Make the list show the posts; what is there already stays, so that focus and reading stay. */
function renderPosts() {
  const list = byId("posts");
  const there = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const wanted = new Set(state.posts.map((post) => post.id));
  for (const [id, item] of there) if (!wanted.has(id)) item.remove();
  const wasEmpty = list.children.length === 0;
  let place = list.firstElementChild;
  for (const post of state.posts) {
    if (place?.dataset.id === post.id) {
      place = place.nextElementSibling;
      continue;
    }
    const item = there.get(post.id) ?? drawn(post);
    if (!wasEmpty && !there.has(post.id)) item.classList.add("new");
    list.insertBefore(item, place);
  }
}

const EMPTY = {
  home: "Nothing yet. Follow somebody, and what they post appears here by itself.",
  own: "You have not posted yet.",
  user: "No posts yet.",
};

function render() {
  const { session, view } = state;
  byId("welcome").hidden = Boolean(session);
  byId("signed-in").hidden = !session;
  byId("who").hidden = !session;
  byId("me").textContent = session?.user ?? "";
  if (!session) return;
  for (const kind of ["home", "own", "user"]) {
    byId(`show-${kind}`).setAttribute("aria-pressed", String(view.kind === kind));
  }
  byId("show-user").hidden = view.kind !== "user";
  byId("show-user").textContent = view.name ?? "";
  byId("person").hidden = view.kind !== "user";
  byId("list-title").textContent = view.name ?? (view.kind === "home" ? "Home" : "My posts");
  const follow = byId("follow");
  follow.hidden = view.kind !== "user" || view.name === session.user;
  follow.textContent = view.followed ? "Unfollow" : "Follow";
  follow.classList.toggle("quiet", Boolean(view.followed));
  byId("more").hidden = !state.cursor || state.posts.length >= MOST_SHOWN;
  byId("empty").hidden = state.posts.length > 0;
  byId("empty").textContent = EMPTY[view.kind];
  renderPosts();
}

async function visit(name) {
  await act(byId("find"), async () => {
    const user = await ask("GET", `/users/${encodeURIComponent(name)}`);
    show({ kind: "user", name: user.name, followed: user.followed });
  });
}

async function toggleFollow() {
  const { view } = state;
  const path = `/users/${encodeURIComponent(view.name)}/follow`;
  await ask(view.followed ? "DELETE" : "POST", path);
  view.followed = !view.followed;
  render();
}

function countDown() {
  const left = LONGEST - [...byId("text").value.normalize("NFC")].length;
  byId("left").textContent = `${left} left`;
  byId("left").classList.toggle("over", left < 0);
}

function onSubmit(id, work) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    act(form, () => work(new FormData(form), event.submitter));
  });
}

onSubmit("sign-in", (data, button) =>
  signIn(data.get("name"), data.get("password"), button?.value === "up"),
);
onSubmit("write", () => write(byId("text").value));
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  visit(byId("wanted").value.trim().toLowerCase());
});
byId("text").addEventListener("input", countDown);
byId("sign-out").addEventListener("click", signOut);
byId("show-home").addEventListener("click", () => show({ kind: "home" }));
byId("show-own").addEventListener("click", () => show({ kind: "own" }));
byId("follow").addEventListener("click", () => act(byId("person"), toggleFollow));
byId("more").addEventListener("click", () => act(byId("list"), older));
document.addEventListener("visibilitychange", () => {
  state.pause = FASTEST;
  look();
});

render();
look();
