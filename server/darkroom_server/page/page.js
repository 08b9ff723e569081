'use strict';
// `all` are the pictures, newest first; `shown` those that fit the search; `rows` their places on the sheet, of which only
// those near the window are in the document. Whatever comes from outside is put in as text, never as HTML. A file of its
// own has its data in it; else everything is asked of the server that sent this page: below `root` where it is a team's.
const $ = id => document.getElementById(id);
const root = document.querySelector('main').dataset.root;
const embedded = $('data') && JSON.parse($('data').textContent);
const plural = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
const seconds = value => value < 10 ? `${value.toFixed(1)} s` : value < 120 ? `${Math.round(value)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
const bytes = size => size < 1e6 ? `${Math.ceil(size / 1e3)} kB` : `${(size / 1e6).toFixed(1)} MB`;
const two = number => String(number).padStart(2, '0');
const dayOf = at => { const day = new Date(at * 1000); return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`; };
const thisYear = String(new Date().getFullYear());
const dayWords = day => new Date(`${day}T12:00`).toLocaleDateString([], {weekday: 'short', day: 'numeric', month: 'short', year: day.startsWith(thisYear) ? undefined : 'numeric'});
const fold = text => text.normalize('NFKC').toLowerCase();

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === 'click') node.addEventListener('click', value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child || child === 0));
  return node;
}
function svg(tag, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const icon = name => svg('svg', {class: 'icon', 'aria-hidden': 'true'}, svg('use', {href: '#i-' + name}));
const push = (name, label, click, title) => el('button', {class: 'push', type: 'button', title, click}, icon(name), label);
const iconic = (name, label, click, kind = '') => el('button', {class: `iconic ${kind}`, type: 'button', 'aria-label': label, title: label, click}, icon(name));
function say(text) { $('voice').textContent = text; }
function tell(problem) {
  $('trouble').textContent = problem;
  $('trouble').hidden = !problem;
}

// The server, or the data in this file

async function ask(path, method = 'GET') {
  const answer = await fetch(root + path, {method, cache: 'no-store'}).catch(() => null);
  if (!answer) throw new Error(root ? 'The server does not answer. It is asked again every few seconds.' : 'darkroom-mcp gallery has ended. Start it again in a terminal and open its new address.');
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.problem || (root ? `The server cannot answer now (HTTP ${answer.status}). Reload the page in a moment.` : 'This page is no longer served. Open the address that the terminal shows.'));
  return told;
}
// Of very many pictures the oldest are asked for once somebody looks for them; `rest` is the key to go on with.
const ENOUGH = 1500, AT_ONCE = 400;
let all = [], shown = [], spending = {spending: []}, version = '', isLoading = false, rest = '', total = 0;
async function load() {
  if (embedded) [all, spending] = [embedded.pictures, embedded];
  if (embedded) return take(all, true);
  if (isLoading) return;
  isLoading = true;
  try {
    const asked = ask('version'), isFirst = !version;
    if (!isFirst && (await asked).version === version) return;
    const found = new Map(all.filter(({id}) => !id.startsWith('file-')).map(each => [each.id, each])), before = new Set(found.keys());
    for (let after = '', limit = 120; after || limit === 120; limit = AT_ONCE) {
      const page = await ask(`pictures?limit=${limit}&after=${encodeURIComponent(after)}`);
      for (const each of page.pictures) found.set(each.id, each);
      after = page.pictures.some(({id}) => before.has(id)) ? '' : page.next; // what is older is here already
      if (isFirst && after && found.size >= ENOUGH) [rest, after] = [after, ''];
      if (isFirst) take(found.values(), false);
    }
    if (!root) for (const each of (await ask('strays')).pictures) found.set(each.id, each);
    total = (await asked).count;
    take(found.values(), !rest);
    if (isOpen) await VIEWS[isOpen]();
    version = (await asked).version;
    tell('');
  } catch (error) {
    tell(error.message);
  } finally {
    isLoading = false;
  }
}
async function loadOlder() {
  if (!rest || isLoading) return;
  isLoading = true;
  try {
    do {
      const found = new Map(all.map(each => [each.id, each]));
      for (let pages = isSearch() ? 10 : 1; rest && pages; pages--) {
        const page = await ask(`pictures?limit=${AT_ONCE}&after=${encodeURIComponent(rest)}`);
        for (const each of page.pictures) found.set(each.id, each);
        rest = page.next;
      }
      take(found.values(), !rest);
    } while (rest && isSearch());
  } catch (error) {
    tell(error.message);
  } finally {
    isLoading = false;
  }
}
function take(found, isWhole) {
  all = [...found].sort((one, other) => other.at - one.at);
  const known = new Set([...$('model').options].map(option => option.value)), models = new Set(all.map(each => each.model));
  for (const model of [...models].filter(model => model && !known.has(model)).sort()) $('model').append(el('option', {value: model}, model));
  filter(isWhole);
}

// Searching

const isSearch = () => Boolean($('words').value.trim() || $('model').value || $('day').value);
function filter(isWhole = !rest) {
  const wanted = fold($('words').value).split(/\s+/).filter(Boolean), model = $('model').value, day = $('day').value;
  const fits = each => (!model || each.model === model) && (!day || dayOf(each.at) === day)
    && (!wanted.length || wanted.every(word => (each.folded ??= fold(`${each.prompt} ${each.model} ${each.name} ${each.id}`)).includes(word)));
  const focused = document.activeElement?.dataset.index, was = shown[current];
  shown = isSearch() ? all.filter(fits) : all;
  current = Math.max(0, shown.indexOf(was), shown.findIndex(({id}) => id === was?.id));
  const count = rest ? Math.max(total, all.length) : all.length;
  $('clear').hidden = !isSearch();
  $('count').textContent = isSearch() ? `${shown.length.toLocaleString('en')} of ${plural(count, 'picture')}` : plural(count, 'picture');
  $('none').hidden = shown.length > 0 || !isWhole;
  $('none').replaceChildren(...isSearch() ? [el('strong', {}, 'No picture fits'), 'Try fewer words, another model or another day.']
    : root ? [el('strong', {}, 'No pictures yet'), 'Ask your assistant for one: “Make a picture of a lighthouse at dawn.”']
    : [el('strong', {}, 'No pictures yet'), 'Make one: ', el('code', {}, 'darkroom-mcp generate "a lighthouse at dawn"')]);
  keepPlace(arrange);
  if (focused !== undefined) sheet.querySelector(`[data-index="${current}"]`)?.focus({preventScroll: true});
}
let typed = 0;
$('words').addEventListener('input', () => { clearTimeout(typed); typed = setTimeout(search, 120); });
for (const id of ['model', 'day']) $(id).addEventListener('change', search);
function search() {
  filter();
  scrollTo(0, 0);
  if (isSearch()) loadOlder();
}
$('search').addEventListener('submit', event => { event.preventDefault(); search(); });
$('clear').addEventListener('click', () => {
  for (const id of ['words', 'model', 'day']) $(id).value = '';
  search();
  $('words').focus();
});

// The sheet: rows of one height each that fill the width, under a line for each day

const GAP = 6, HEADING = 52, MOST_BUSY = 4, busy = new Set(), sheet = $('sheet'), drawn = new Map(), wasHere = new Set();
let rows = [], kept = [], width = 0, current = 0, settled = 0;
const ratioOf = ({width, height}) => Math.max(.6, Math.min(2.4, width / height || 1));
function arrange() {
  width = sheet.clientWidth;
  rows = [];
  const ideal = width < 600 ? 124 : 196;
  let y = 0, start = 0;
  const close = (end, height) => {
    rows.push({y, height, start, end});
    [y, start] = [y + height + GAP, end];
  };
  for (let from = 0; from < shown.length;) {
    // Days of which none fills a row share one.
    const day = dayOf(shown[from].at);
    let to = from, sum = 0, last = day;
    for (let now; to < shown.length && ((now = dayOf(shown[to].at)) === last || sum * ideal < width); to++) [sum, last] = [sum + ratioOf(shown[to]), now];
    rows.push({y, height: HEADING, day, last, count: to - from});
    [y, start, sum] = [y + HEADING, from, 0];
    for (let index = from; index < to; index++) {
      sum += ratioOf(shown[index]);
      const height = (width - GAP * (index - start)) / sum;
      if (height <= ideal) [sum] = [0, close(index + 1, Math.floor(height))];
    }
    if (start < to) close(to, ideal);
    from = to;
  }
  sheet.style.height = `${y}px`;
  current = Math.min(current, Math.max(0, shown.length - 1));
  for (const [index, node] of drawn) if (!rows[index] || node.dataset.key !== keyOf(rows[index])) remove(index, node);
  draw();
}
const keyOf = ({y, height, day, last, count, start, end}) => [y, height, day, last, count, start, ...day ? [] : shown.slice(start, end).map(({id}) => id)].join(' ');
function find(y) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].y + rows[middle].height < y) low = middle + 1; else high = middle;
  }
  return low;
}
function draw() {
  const top = scrollY - sheet.offsetTop, first = find(top - innerHeight), last = find(top + innerHeight * 2);
  for (const [index, node] of drawn) if ((index < first || index > last) && !node.contains(document.activeElement)) remove(index, node);
  for (let index = first, before = null; index <= last && index < rows.length; index++) {
    const node = drawn.get(index) ?? rowNode(rows[index]);
    if (!drawn.has(index)) before ? before.after(node) : sheet.prepend(node);
    drawn.set(index, before = node);
  }
  if (rest && last >= rows.length) loadOlder();
  clearTimeout(settled);
  settled = setTimeout(fetchSeen, wasHere.size ? 70 : 0);
}
function remove(index, node) {
  for (const image of node.querySelectorAll('img')) {
    image.removeAttribute('src'); // ends a request that nobody needs any more
    busy.delete(image);
  }
  node.remove();
  drawn.delete(index);
}
function rowNode(row) {
  const style = node => {
    Object.assign(node.style, {top: `${row.y}px`, height: `${row.height}px`});
    node.dataset.key = keyOf(row);
    return node;
  };
  if (row.day) return style(el('h2', {class: 'day'}, row.last === row.day ? dayWords(row.day) : `${dayWords(row.last)} – ${dayWords(row.day)}`, el('span', {}, plural(row.count, 'picture'))));
  const node = style(el('div', {class: 'row'})), isLast = rows[rows.indexOf(row) + 1]?.day !== undefined;
  let left = 0;
  for (let index = row.start; index < row.end; index++) {
    const wide = Math.floor(row.height * ratioOf(shown[index]));
    const tile = tileNode(index, index === row.end - 1 && !isLast && width - left - wide < 40 ? width - left : wide);
    tile.style.left = `${left}px`;
    left += wide + GAP;
    node.append(tile);
  }
  return node;
}
const thumbnailOf = picture => embedded ? /^data:image\/(png|jpeg|webp);/.test(picture.thumbnail) ? picture.thumbnail : '' : `${root}thumbnail/${picture.id}`;
function tileNode(index, wide) {
  const picture = shown[index], source = thumbnailOf(picture), label = picture.prompt.slice(0, 160) || picture.name;
  const tile = el('button', {class: 'tile', type: 'button', 'aria-label': label, 'aria-haspopup': 'dialog', tabindex: index === current ? 0 : -1, 'data-index': index, click: () => show(index)});
  const image = el('img', {alt: '', decoding: 'async', 'data-src': source});
  tile.style.width = `${wide}px`;
  const lose = () => { tile.classList.add('lost'); tile.replaceChildren('Not to be shown'); };
  const end = () => { if (busy.delete(image)) fetchSeen(); };
  image.addEventListener('load', () => { image.classList.add('is-here'); wasHere.add(picture.id); end(); });
  image.addEventListener('error', () => { if (image.hasAttribute('src')) lose(); end(); });
  tile.append(image);
  if (!source) lose();
  if (wasHere.has(picture.id)) image.src = source;
  return tile;
}
function fetchSeen() {
  // What can be seen comes first. A browser has six connections to a server: some are left for lists and large pictures.
  const waiting = [...sheet.querySelectorAll('img:not([src])')], edge = image => image.getBoundingClientRect();
  const isSeen = image => edge(image).bottom > 0 && edge(image).top < innerHeight;
  for (const image of [...waiting.filter(isSeen), ...waiting.filter(image => !isSeen(image))].slice(0, MOST_BUSY - busy.size)) {
    busy.add(image);
    image.src = image.dataset.src;
  }
}
addEventListener('scroll', () => requestAnimationFrame(draw), {passive: true});
new ResizeObserver(() => { if (sheet.clientWidth && sheet.clientWidth !== width) keepPlace(arrange); }).observe(sheet);
function keepPlace(change) {
  // What stands at the top of the window stays there, also where new pictures have come above it.
  const top = scrollY - sheet.offsetTop, row = rows.slice(find(top)).find(each => !each.day), picture = kept[row?.start];
  change();
  kept = shown;
  const index = shown.indexOf(picture), now = rows.find(each => each.start <= index && index < each.end);
  if (scrollY > 10 && row && now && now.y !== row.y) scrollTo(0, sheet.offsetTop + now.y + top - row.y);
}

const place = index => rows.findIndex(row => row.start <= index && index < row.end);
function focusOn(index) {
  current = Math.max(0, Math.min(shown.length - 1, index));
  const row = rows[place(current)];
  if (!row) return;
  const top = sheet.offsetTop + row.y, room = $('search').closest('header').offsetHeight + 12;
  if (top - room < scrollY) scrollTo(0, top - room - HEADING);
  if (top + row.height > scrollY + innerHeight) scrollTo(0, top + row.height - innerHeight + 24);
  draw();
  for (const tile of sheet.querySelectorAll('[tabindex="0"]')) tile.tabIndex = -1;
  const tile = sheet.querySelector(`[data-index="${current}"]`);
  if (tile) tile.tabIndex = 0;
  tile?.focus({preventScroll: true});
}
function upOrDown(index, by) {
  const from = rows[place(index)], middle = tile => tile.offsetLeft + tile.offsetWidth / 2;
  let at = place(index) + by;
  if (rows[at]?.day) at += by;
  const to = rows[at];
  return to ? Math.min(to.end - 1, to.start + Math.round((index - from.start) / (from.end - from.start) * (to.end - to.start))) : index;
}
sheet.addEventListener('keydown', event => {
  const index = Number(event.target.dataset.index), many = Math.max(1, Math.floor(innerHeight / 200));
  const moves = {ArrowLeft: () => index - 1, ArrowRight: () => index + 1, ArrowUp: () => upOrDown(index, -1), ArrowDown: () => upOrDown(index, 1), Home: () => 0, End: () => shown.length - 1,
    PageUp: () => Array.from({length: many}).reduce(at => upOrDown(at, -1), index), PageDown: () => Array.from({length: many}).reduce(at => upOrDown(at, 1), index)};
  if (!Object.hasOwn(moves, event.key) || Number.isNaN(index) || event.metaKey || event.ctrlKey || event.altKey) return;
  event.preventDefault();
  focusOn(moves[event.key]());
});
addEventListener('keydown', event => {
  if (event.key !== '/' || large.open || event.target.matches('input, select')) return;
  event.preventDefault();
  $('words').focus();
});
