// What anybody must find on a page: names, contrast, and an order for the
// keyboard. names and contrast run in the page and return what is wrong.

export function names() {
  const wrong = [];
  if (document.documentElement.lang !== 'en') wrong.push('no lang');
  if (!document.title.trim()) wrong.push('no title');
  if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) wrong.push('not one main');
  const named = (one) => one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim() || one.textContent.trim() ||
    document.getElementById(one.getAttribute('aria-labelledby'))?.textContent.trim();
  for (const one of document.querySelectorAll('button, a, input, select, textarea, meter, dialog, [role=img], [role=region], [role=group], [role=log], nav, section')) {
    if (!named(one)) wrong.push(`no name: ${one.outerHTML.slice(0, 100)}`);
  }
  for (const image of document.images) if (!image.hasAttribute('alt')) wrong.push(`no alt: ${image.src}`);
  for (const one of document.querySelectorAll('[tabindex]')) if (one.tabIndex > 0) wrong.push(`tabindex: ${one.outerHTML.slice(0, 100)}`);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`id twice: ${id}`);
  for (const one of document.querySelectorAll('[aria-describedby], [aria-labelledby]')) {
    for (const id of [one.getAttribute('aria-describedby'), one.getAttribute('aria-labelledby')]) {
      if (id && !document.getElementById(id)) wrong.push(`nothing is called ${id}`);
    }
  }
  return wrong;
}

/** Text that is not disabled has a contrast of 4.5 (WCAG 1.4.3). */
export function contrast() {
  const rgb = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const light = (colour) => {
    const [r, g, b] = rgb(colour).map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (rgb(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const wrong = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !one.checkVisibility() || one.closest(':disabled, noscript, .xterm, .unseen, option')) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) wrong.push(`${ratio.toFixed(2)}: ${texts.currentNode.data.trim().slice(0, 40)}`);
  }
  return wrong;
}

/** Tab reaches everything that can be used, in the order of the document, and shows where it is. */
export async function tabOrder(page) {
  await page.evaluate(() => {
    document.activeElement?.blur();
    const usable = [...document.querySelectorAll('a[href], button, input, select, textarea, [tabindex="0"]')]
      .filter((one) => !one.disabled && one.checkVisibility() && !one.closest('dialog, #screen, #stage, noscript'));
    usable.forEach((one, n) => { one.dataset.tab = n; });
  });
  const want = await page.locator('[data-tab]').count(), wrong = [];
  await page.locator('.home').focus();
  for (let n = 0; n < want; n++) {
    if (n > 0) await page.keyboard.press('Tab');
    const [at, seen] = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement);
      return [document.activeElement.dataset.tab ?? document.activeElement.outerHTML.slice(0, 80), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0];
    });
    if (at !== String(n)) wrong.push(`tab ${n} leads to ${at}`);
    else if (n > 0 && !seen) wrong.push(`focus on ${n} is not seen`);
  }
  return wrong;
}
