/**
 * What `make` makes, once for each key: whoever asks again gets the same promise. One that is rejected is forgotten, so that the next asks
 * anew.
 */
export function remember<Key, Value>(
  known: Map<Key, Promise<Value>>,
  key: Key,
  make: () => Promise<Value>,
): Promise<Value> {
  const before = known.get(key);
  if (before) return before;
  const made = make();
  known.set(key, made);
  made.catch(() => {
    if (known.get(key) === made) known.delete(key);
  });
  return made;
}
