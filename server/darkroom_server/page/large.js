// The large view: one picture, and how it was made

const large = $('large');
function show(index) {
  current = index;
  const wasOn = document.activeElement?.matches('#stage button') ? document.activeElement.title : '';
  const picture = shown[index], name = picture.prompt.slice(0, 160) || picture.name;
  const image = el('img', {alt: name, src: thumbnailOf(picture) || undefined, class: /PNG|WEBP|SVG/.test(picture.type) ? 'clear' : ''});
  if (picture.width && picture.height) {
    // Its place is that of the original, before that has come.
    image.classList.add('sized');
    image.style.setProperty('--ratio', picture.width / picture.height);
    image.style.setProperty('--width', `${picture.width}px`);
  }
  $('stage').replaceChildren(image, iconic('back', 'Previous picture', () => step(-1)), iconic('on', 'Next picture', () => step(1), 'next'));
  if (!embedded) whole(picture, image);
  $('about').replaceChildren(...about(picture, index));
  $('about').scrollTop = 0;
  const prompt = $('prompt');
  if (!large.open) large.showModal();
  if (prompt && prompt.scrollHeight > prompt.clientHeight + 1) prompt.tabIndex = 0;
  (wasOn && large.querySelector(`button[title="${wasOn}"]`) || large.querySelector('.close')).focus();
}
function whole(picture, image) {
  const original = el('img', {src: `${root}image/${picture.id}`});
  original.decode().then(() => { image.src = original.src; }, async () => {
    if (!image.isConnected) return;
    const problem = await ask(`image/${picture.id}`).then(() => 'It cannot be shown.', error => error.message);
    if (image.isConnected && !image.naturalWidth) image.replaceWith(el('p', {}, problem));
    else if (image.isConnected) say(problem);
  });
}
function about(picture, index) {
  const day = new Date(picture.at * 1000), facts = [
    ['Model', picture.model],
    ['Seed', picture.seed],
    ['Made', picture.at ? day.toLocaleString([], {dateStyle: 'medium', timeStyle: 'short'}) : ''],
    ['Took', picture.took_s === null ? '' : seconds(picture.took_s)],
    ['Cost', picture.cost],
    ['Gateway', picture.gateway],
    ['Size', [picture.width ? `${picture.width} × ${picture.height}` : '', picture.type, bytes(picture.size_bytes)].filter(Boolean).join(' · ')],
    ...Object.entries(picture.options).map(([name, value]) => [name.replaceAll('_', ' '), value]),
    ['File', picture.name],
    ['Note', picture.problem],
  ];
  return [
    el('div', {class: 'top'}, `${(index + 1).toLocaleString('en')} of ${shown.length.toLocaleString('en')}`, iconic('close', 'Close', () => large.close(), 'close')),
    picture.prompt ? el('p', {id: 'prompt'}, picture.prompt) : el('p', {class: 'hint'}, 'Its prompt is not known.'),
    picture.is_cut && el('p', {class: 'hint'}, root ? 'Its prompt is longer than what is shown here.' : 'Its prompt is longer; the record beside the file has all of it.'),
    el('div', {class: 'actions', role: 'group', 'aria-label': 'Actions'}, ...actions(picture)),
    picture.command && el('p', {class: 'hint'}, 'The command makes it again: give another seed or other words beside it.'),
    picture.reference && el('p', {class: 'hint'}, 'By its name your assistant finds it: to change it, to use it as an image, or to make one like it.'),
    el('dl', {}, ...facts.filter(([, value]) => value).flatMap(([term, value]) => [el('dt', {}, term), el('dd', {}, value)])),
  ].filter(Boolean);
}
function actions(picture) {
  return [
    picture.prompt && copier('copy', 'Copy prompt', picture.prompt),
    picture.command && copier('again', 'Copy command', picture.command),
    picture.reference && copier('again', 'Copy name', picture.reference),
    picture.location && copier('file', 'Copy path', picture.location),
    picture.can_reveal && push('open', 'Show in folder', () => ask(`reveal/${picture.id}`, 'POST').then(() => say('The folder was opened'), error => notice(error.message))),
    !embedded && el('a', {class: 'push', href: `${root}image/${picture.id}`, target: '_blank', rel: 'noopener noreferrer'}, icon('full'), 'Open alone'),
  ].filter(Boolean);
}
function notice(text) {
  $('about').querySelector('.notice')?.remove();
  $('about').querySelector('.actions').after(el('p', {class: 'hint notice', role: 'alert'}, text));
}
function copier(name, label, value) {
  const button = push(name, label, async () => {
    const isDone = await (navigator.clipboard?.writeText(value) ?? Promise.reject()).then(() => true, () => copyOld(value));
    if (!isDone) return notice(value);
    say('Copied');
    button.firstChild.replaceWith(icon('done'));
    setTimeout(() => button.firstChild.replaceWith(icon(name)), 1500);
  }, value.slice(0, 300));
  return button;
}
function copyOld(value) {
  const field = el('textarea', {class: 'unseen', 'aria-hidden': true}), focused = document.activeElement;
  field.value = value;
  large.append(field);
  field.select();
  const isDone = document.execCommand('copy');
  field.remove();
  focused?.focus();
  return isDone;
}
function step(by) {
  show((current + by + shown.length) % shown.length);
}
large.addEventListener('keydown', event => {
  const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (!by || event.target.id === 'prompt' || event.altKey || event.metaKey) return;
  event.preventDefault();
  step(by);
});
large.addEventListener('close', () => focusOn(current));
