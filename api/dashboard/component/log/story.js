// What became of a call that grew, as people would say it: when its note was written, what came
// later, who else was at it.

import { timeElement } from "../parts/format.js";
import { endSentence, nameFields, tellOutcome, tellUpdate } from "../parts/words.js";

// Others are counted, not named one by one.
const MOST_TOLD = 3;

/** The story of an entry's detail: sentences, each of texts and times for an element. */
export function tellStory({ log, attempts, deliveries }, now = Date.now()) {
  if (log.status !== "success") return [tellOutcome(log, now)];
  const succeeded = attempts.filter((attempt) => attempt.outcome === "success").reverse();
  const written = succeeded.find((attempt) => attempt.kind === "create");
  const updates = succeeded.filter((attempt) => attempt.kind === "update");
  const writtenAt = written ? endOf(written) : log.updated_at;
  let since = writtenAt;
  const completions = updates.map((update) => {
    const until = endOf(update);
    const between = deliveries.filter(({ at }) => at > since && at <= until).reverse();
    since = until;
    return { at: until, ...collect(between) };
  });
  const later = collect(deliveries.filter(({ at }) => at > since).reverse());
  return [
    [
      "Written to the contact's timeline at ",
      timeElement(writtenAt),
      ...tellCompletions(completions),
      ".",
    ],
    ...updates.filter(({ message }) => message).map(({ message }) => [endSentence(message)]),
    ...tellUpdate(log, later.brought).map((sentence) => [sentence]),
  ];
}

function tellCompletions(completions) {
  if (completions.length > MOST_TOLD) {
    const { at } = completions.at(-1);
    return [`, completed ${completions.length} times, the last time at `, timeElement(at)];
  }
  return completions.flatMap(({ at, brought, withdrawn }, index) => {
    const added = brought.length ? ` with ${nameFields(brought)}` : "";
    const removed = withdrawn.length ? ` without ${nameFields(withdrawn)}` : "";
    const verb = removed && !added ? "rewritten" : index && added ? "then" : "completed";
    return [`, ${verb}${added}${added && removed ? "," : ""}${removed} at `, timeElement(at)];
  });
}

const endOf = (attempt) => attempt.started_at + attempt.duration_ms;

/** Names of the fields that deliveries brought and withdrew, each once. */
function collect(deliveries) {
  const withdrawn = new Set(deliveries.flatMap((delivery) => delivery.withdrawn));
  const brought = new Set(deliveries.flatMap((delivery) => delivery.fields));
  return {
    brought: [...brought].filter((name) => !withdrawn.has(name)),
    withdrawn: [...withdrawn],
  };
}
