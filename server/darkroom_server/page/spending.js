// Spending by day or month, stacked by model; rows are [day, model, predictions, US dollars charged, that may be charged].
// For a team the server also says which day it is by the tenant's clock, and what the limits leave of it.

const SPANS = {'30 days': 30, '90 days': 90, '12 months': 366, 'All time': Infinity}, MOST_MODELS = 5;
let span = '30 days';
const dollars = value => value === 0 ? '$0' : '$' + (value < .1 ? value.toFixed(4).replace(/0{1,2}$/, '') : value.toFixed(2).replace(/\B(?=(\d{3})+\.)/g, ','));
const sumOf = (list, column) => list.reduce((sum, row) => sum + row[column], 0);
function drawSpending() {
  const today = spending.today ? new Date(`${spending.today}T12:00`) : new Date(), first = new Date(today.getFullYear(), today.getMonth(), today.getDate() - Math.min(SPANS[span], 36500) + 1);
  const from = dayOf(first / 1000), within = spending.spending.filter(([day]) => day >= from && day <= dayOf(today / 1000)), isMonthly = SPANS[span] > 90;
  const ranked = [...Map.groupBy(within, row => row[1])].map(([model, list]) => ({model, list, usd: sumOf(list, 3) + sumOf(list, 4)})).sort((one, other) => other.usd - one.usd || other.list.length - one.list.length);
  const kindOf = new Map(ranked.map(({model}, rank) => [model, Math.min(rank, MOST_MODELS)]));
  const known = sumOf(within, 3), may = sumOf(within, 4);
  $('spans').replaceChildren(...Object.keys(SPANS).map(name => el('button', {type: 'button', 'aria-pressed': name === span, click: () => { span = name; drawSpending(); [...$('spans').children].find(button => button.textContent === name).focus(); }}, name)));
  drawLimits();
  $('sums').textContent = `${dollars(known)} for ${plural(sumOf(within, 2), 'prediction')}` + (may ? `, and at most ${dollars(may)} more for what is not settled yet (pale).` : '.');
  const bars = barsOf(within, isMonthly, first, today);
  $('plot').replaceChildren(known + may ? plot(bars, kindOf, isMonthly) : el('p', {class: 'nothing'}, 'Nothing was charged in this time.'), el('figcaption', {class: 'unseen'}, 'The tables have the same figures.'));
  const some = value => value ? dollars(value) : '–', short = model => model.split('/').pop() || 'unknown';
  const modelRows = ranked.map(({model, list}) => [[el('span', {class: `dot c${kindOf.get(model)}`, 'aria-hidden': true}), el('span', {title: model}, short(model))], sumOf(list, 2).toLocaleString('en'), some(sumOf(list, 3)), some(sumOf(list, 4))]);
  $('models').replaceChildren(table('Spending by model', ['Model', 'Made', 'Charged', 'Open'], modelRows));
  const filled = bars.filter(({list}) => list.length).reverse();
  $('days-title').textContent = isMonthly ? 'By month' : 'By day';
  $('days').replaceChildren(table($('days-title').textContent, [isMonthly ? 'Month' : 'Day', 'Made', 'Charged', 'Open', 'Most for'], filled.map(({key, list}) => {
    const [most] = [...list].sort((one, other) => other[3] + other[4] - one[3] - one[4]);
    return [[isMonthly ? monthWords(key) : dayWords(key)], sumOf(list, 2).toLocaleString('en'), some(sumOf(list, 3)), some(sumOf(list, 4)), short(most[1])];
  })));
}
function drawLimits() {
  $('limits').hidden = !spending.today;
  if (!spending.today) return;
  const since = start => { const list = spending.spending.filter(([day]) => day.startsWith(start)); return [sumOf(list, 3), sumOf(list, 4)]; };
  const spent = ([known, may]) => dollars(known) + (may ? ` and at most ${dollars(may)} more` : '');
  $('limits').replaceChildren(...facts([
    [spent(since(spending.today)), 'today'],
    [spent(since(spending.today.slice(0, 7))), 'this month'],
    ...spending.limits.map(({whose, limit_usd, left_usd, reserved_usd}) => [`${dollars(left_usd)} left`, `of ${dollars(limit_usd)}, ${whose}` + (reserved_usd ? `; ${dollars(reserved_usd)} is reserved for what still runs` : '')]),
    ...spending.limits.length ? [] : [['No limit', 'is set for you or your team']],
  ]), el('li', {}, `A day begins at midnight in ${spending.zone}`));
}
const facts = list => list.map(([figure, words]) => el('li', {}, el('strong', {}, figure), words));
const monthWords = key => new Date(`${key}-15T12:00`).toLocaleDateString([], {month: 'long', year: 'numeric'});
function barsOf(within, isMonthly, first, today) {
  const lists = Map.groupBy(within, row => isMonthly ? row[0].slice(0, 7) : row[0]), bars = [];
  const start = within.length && isMonthly ? new Date(`${within[0][0]}T12:00`) : first;
  for (let at = new Date(start.getFullYear(), start.getMonth(), isMonthly ? 1 : start.getDate(), 12); at < new Date(+today + 864e5);) {
    const key = dayOf(at / 1000).slice(0, isMonthly ? 7 : 10);
    if (key > dayOf(today / 1000)) break;
    bars.push({key, list: lists.get(key) ?? []});
    at = isMonthly ? new Date(at.getFullYear(), at.getMonth() + 1, 1, 12) : new Date(at.getFullYear(), at.getMonth(), at.getDate() + 1, 12);
  }
  return bars;
}
function table(caption, heads, lines) {
  const head = el('thead', {}, el('tr', {}, ...heads.map((words, column) => el('th', {scope: 'col', class: column === 4 && 'wide'}, words))));
  const body = lines.map(([first, ...cells]) => el('tr', {}, el('th', {scope: 'row'}, ...first), ...cells.map((cell, column) => el('td', {class: column === 3 && 'wide'}, cell))));
  return el('table', {}, el('caption', {class: 'unseen'}, caption), head, el('tbody', {}, ...body));
}
function plot(bars, kindOf, isMonthly) {
  const narrow = innerWidth < 760, W = narrow ? 400 : 820, H = narrow ? 240 : 330, LEFT = 52, BOTTOM = 24, TOP = 10, totals = bars.map(({list}) => sumOf(list, 3) + sumOf(list, 4));
  const most = Math.max(...totals, 0), tick = nice(most / 4), top = tick ? Math.ceil(most / tick) * tick : 1, y = value => H - BOTTOM - value / top * (H - BOTTOM - TOP);
  const step = (W - LEFT - 14) / Math.max(bars.length, 1), wide = Math.min(46, Math.max(1, step * .74)), every = Math.ceil(bars.length / (narrow ? 4 : 8)), parts = [];
  for (let value = 0; tick && value <= top + tick / 2; value += tick) parts.push(svg('line', {x1: LEFT, x2: W, y1: y(value), y2: y(value)}), svg('text', {x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end'}, dollars(Number(value.toPrecision(6)))));
  bars.forEach(({key, list}, index) => {
    const x = LEFT + index * step + (step - wide) / 2, date = new Date(`${isMonthly ? key + '-15' : key}T12:00`);
    if ((bars.length - 1 - index) % every === 0) parts.push(svg('text', {x: x + wide / 2, y: H - 6, 'text-anchor': 'middle'}, date.toLocaleDateString([], isMonthly ? {month: 'short', year: '2-digit'} : {day: 'numeric', month: 'short'})));
    let below = 0;
    for (const [column, pale] of [[3, ''], [4, ' may']])
      for (const [kind, usd] of stacked(list, kindOf, column)) {
        const names = [...new Set(list.filter(row => kindOf.get(row[1]) === kind && row[column]).map(row => row[1]))].join(', ');
        parts.push(svg('rect', {x, width: wide, y: y(below + usd), height: Math.max(.5, y(below) - y(below + usd)), rx: Math.min(2, wide / 4), class: `c${kind}${pale}`}, svg('title', {}, `${isMonthly ? monthWords(key) : dayWords(key)}: ${dollars(usd)}${pale && ' at most'}, ${names}`)));
        below += usd;
      }
  });
  return svg('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': `Spending by ${isMonthly ? 'month' : 'day'}, stacked by model`}, ...parts);
}
function stacked(list, kindOf, column) {
  const sums = new Map();
  for (const row of list) if (row[column] > 0) sums.set(kindOf.get(row[1]), (sums.get(kindOf.get(row[1])) ?? 0) + row[column]);
  return [...sums].sort(([one], [other]) => one - other);
}
function nice(value) {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find(each => each * power >= value) * power;
}

// The views, and news while the page is looked at

const VIEWS = {pictures: () => { if (sheet.clientWidth !== width) arrange(); else draw(); }, spending: async () => {
  if (!embedded) spending = await ask('spending');
  drawSpending();
}};
let isOpen = '';
function turnTo(view) {
  isOpen = view === 'pictures' || embedded ? '' : view;
  for (const section of document.querySelectorAll('main > section')) section.hidden = section.id !== view;
  $('search').hidden = view !== 'pictures';
  for (const button of document.querySelectorAll('[data-view]')) button.setAttribute('aria-pressed', button.dataset.view === view);
  scrollTo(0, 0);
  return Promise.resolve(VIEWS[view]()).catch(error => tell(error.message));
}
for (const button of document.querySelectorAll('[data-view]')) button.addEventListener('click', () => turnTo(button.dataset.view));
load();
if (!embedded) {
  document.addEventListener('visibilitychange', () => { if (!document.hidden) load(); });
  setInterval(() => { if (!document.hidden && !large.open) load(); }, 5000);
}
