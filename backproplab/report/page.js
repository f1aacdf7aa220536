(function () {
  var all = function (where, what) { return Array.prototype.slice.call(where.querySelectorAll(what)); };
  var make = function (tag, text, inside) {
    var made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (inside) inside.appendChild(made);
    return made;
  };
  var panels = all(document, ".panel[data-series]"), tip = make("div", "", document.body);
  tip.className = "tip";
  var write = function (x) { return x === null || x === undefined ? "–" : x !== 0 && (Math.abs(x) < .001 || Math.abs(x) >= 1000) ? x.toExponential(1) : x.toPrecision(3); };
  panels.forEach(function (panel) {
    var data = JSON.parse(panel.dataset.series), hit = panel.querySelector(".hit");
    hit.addEventListener("pointermove", function (event) {
      var box = panel.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * 480, at = 0;
      data.x.forEach(function (place, k) { if (Math.abs(place - x) < Math.abs(data.x[at] - x)) at = k; });
      panels.forEach(function (other) {
        var cross = other.querySelector(".cross"), same = JSON.parse(other.dataset.series).unit === data.unit;
        cross.setAttribute("transform", "translate(" + data.x[at] + " 0)");
        cross.style.visibility = same ? "visible" : "hidden";
      });
      tip.textContent = "";
      var table = make("table", undefined, tip), head;
      make("caption", data.unit + " " + data.at[at], table);
      head = make("tr", undefined, table);
      ["", "validation", "training"].forEach(function (word) { make("td", word, head); });
      data.rows.forEach(function (row) {
        var line = make("tr", undefined, table);
        make("td", row[0], line).style.color = "var(--" + row[1] + ")";
        make("td", write(row[2][at]), line);
        make("td", write(row[3][at]), line);
      });
      tip.style.display = "block";
      tip.style.left = (event.clientX + 16 + tip.offsetWidth > innerWidth ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16) + "px";
      tip.style.top = event.clientY + 14 + "px";
    });
    hit.addEventListener("pointerleave", function () {
      tip.style.display = "none";
      all(document, ".cross").forEach(function (cross) { cross.style.visibility = "hidden"; });
    });
  });
  var table = document.getElementById("ranking"), body = table && table.tBodies[0];
  if (table) all(table.tHead, "th").forEach(function (head, column) {
    if (head.classList.contains("st")) return;
    head.tabIndex = 0; // no button: Chromium prints a head with buttons on the first page only
    head.onkeydown = function (event) { if (event.key === "Enter") head.onclick(); };
    head.onclick = function () {
      var up = head.getAttribute("aria-sort") !== "ascending";
      var value = function (row) {
        var cell = row.cells[column];
        return !cell ? "" : cell.hasAttribute("data-v") ? +cell.dataset.v : cell.textContent;
      };
      all(table.tHead, "th").forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      Array.prototype.slice.call(body.rows).sort(function (a, b) {
        var gone = a.classList.contains("dvr") - b.classList.contains("dvr"), x = value(a), y = value(b);
        return gone || (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
      }).forEach(function (row) { body.appendChild(row); });
    };
  });
  var notes = document.getElementById("notes"), copy = make("button", "Copy as notes.md");
  if (!notes) return;
  notes.contentEditable = "true";
  notes.setAttribute("role", "textbox");
  copy.className = "btn";
  copy.onclick = function () {
    if (navigator.clipboard) navigator.clipboard.writeText(notes.innerText);
    copy.textContent = "Copied";
  };
  notes.parentNode.insertBefore(copy, notes.nextSibling);
})();
