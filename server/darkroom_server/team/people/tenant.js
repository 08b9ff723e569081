
// What an administrator sees of a tenant; it only reads

let me = {administers: []}, tenantSeen = '';
const moment = (at, zone) => at ? new Date(at * 1000).toLocaleString([], {dateStyle: 'medium', timeStyle: 'short', timeZone: zone}) : '';
const perhaps = usd => usd === null ? '–' : dollars(usd);
ask('me').then(told => {
  me = told;
  tenantSeen = me.administers.includes(me.tenant) ? me.tenant : me.administers[0] ?? '';
  $('to-tenant').hidden = !tenantSeen;
  $('tenants').hidden = me.administers.length < 2;
  $('tenants').replaceChildren(...me.administers.map(name => el('option', {value: name}, name)));
  $('tenants').value = tenantSeen;
}).catch(() => {}); // the lists say what is wrong
$('tenants').addEventListener('change', event => { tenantSeen = event.target.value; turnTo('tenant'); });
VIEWS.tenant = async () => {
  const told = await ask(`tenant/${encodeURIComponent(tenantSeen)}`), {zone, limit_usd: limit} = told, at = value => moment(value, zone);
  const month = told.people.reduce((sum, each) => sum + each.month_usd, 0);
  $('tenant-title').textContent = told.tenant;
  $('tenant-sums').replaceChildren(...facts([
    [dollars(told.today_usd), 'today' + (told.reserved_usd ? `; ${dollars(told.reserved_usd)} of it is reserved for what still runs` : '')],
    [dollars(month), 'this month'],
    limit === null ? ['No limit', 'for a day of the whole tenant'] : [`${dollars(Math.max(0, limit - told.today_usd))} left`, `of ${dollars(limit)}, the limit for a day of the whole tenant`],
    [told.open_count.toLocaleString('en'), 'open now'],
  ]), el('li', {}, `A day begins at midnight in ${zone}`));
  fill('people', ['Person', 'Today', 'This month', 'Made', 'Limit a day', 'Left', 'Open', 'Last one'], told.people.sort((one, other) => other.month_usd - one.month_usd).map(each =>
    [[el('span', {title: each.issuer}, each.subject)], dollars(each.today_usd), dollars(each.month_usd), each.creates.toLocaleString('en'), perhaps(each.limit_usd), perhaps(each.left_usd), each.open, at(each.last_at)]), 'Nobody has been here yet.');
  fill('open', ['Person', 'Since', 'At most', 'Model', 'Status', 'Prediction'], told.open.map(each =>
    [[each.who], at(each.at), perhaps(each.most_usd), words(`${each.model} at ${each.gateway}`), words(each.status), words(each.id)]), 'Nothing is open.');
  if (told.open_count > told.open.length) $('open').append(el('p', {class: 'nothing'}, `The oldest ${told.open.length} of ${told.open_count.toLocaleString('en')}.`));
  fill('acts', ['Who', 'When', 'Act', 'Which'], told.acts.map(each => [[each.who || 'somebody who was forgotten'], at(each.at), words(each.act), words(each.which)]), 'Nothing has been done yet.');
};
const words = text => el('span', {class: 'words', title: text}, text);
function fill(id, heads, lines, none) {
  const sheet = lines.length ? table($(`${id}-title`).textContent, heads, lines) : el('p', {class: 'nothing'}, none);
  for (const {parentElement: cell} of sheet.querySelectorAll('td > .words')) for (const each of [cell, sheet.tHead.rows[0].cells[cell.cellIndex]]) each.classList.add('words');
  for (const wide of sheet.querySelectorAll('.wide')) wide.classList.remove('wide');
  $(id).replaceChildren(sheet);
}
