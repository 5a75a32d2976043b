// How the JavaScript scripts report: one line per check, and an exit code that says whether all held.

/** Runs `body`; the check holds if it neither throws nor takes longer than `seconds`. */
export async function check(sentence, body, seconds = 30) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${seconds} s`)), seconds * 1000);
  });
  try {
    await Promise.race([body(), late]);
    console.log(`ok   ${sentence}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAIL ${sentence}: ${String(error.message ?? error).replace(/\s+/g, " ")}`);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks until `look` gives something true, and returns that; the check's own time limit ends it. */
export async function eventually(look) {
  for (;;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
