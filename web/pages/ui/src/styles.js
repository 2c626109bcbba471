// xterm.js gives its screen styles in two ways that the pages' policy forbids,
// a <style> element and the style attribute. Here it gets the two ways of
// doing the same that a policy without 'unsafe-inline' allows. Import it before
// a terminal is made.

/** Stands in for <style>: what it is told to be becomes a style sheet of the document. */
function sheetElement() {
  const sheet = new CSSStyleSheet();
  const standIn = Document.prototype.createElement.call(document, 'span');
  standIn.hidden = true;
  Object.defineProperty(standIn, 'textContent', { set: (text) => sheet.replaceSync(text) });
  standIn.remove = function remove() {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    Element.prototype.remove.call(this);
  };
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  return standIn;
}

document.createElement = (name, options) =>
  name === 'style' ? sheetElement() : Document.prototype.createElement.call(document, name, options);

const { setAttribute } = Element.prototype;
Element.prototype.setAttribute = function set(name, value) {
  if (name === 'style') this.style.cssText = value;
  else setAttribute.call(this, name, value);
};
