// Fills in the secret of a link, which is behind `#` so that no server's log has it.
const field = document.querySelector("[data-secret]");
if (field && location.hash.length > 20) {
  field.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  field.closest("details")?.setAttribute("open", "");
  if ("submit" in field.dataset) field.form.requestSubmit();
}
