/** Messages between threads. */

/**
 * A message whose arrays own their memory. Posting an array copies the whole buffer behind it, of which it may be a small part: 200 tensors
 * that are views of one file of 400 MB would be 80 GB. Such views are copied once, and the copies are to be moved instead of copied again.
 *
 * @param message plain data: objects, arrays and maps of primitives and typed arrays
 * @returns the message to post, and the buffers to move with it
 */
export function ownMemory<Message>(message: Message): { owned: Message; moved: ArrayBuffer[] } {
  const moved: ArrayBuffer[] = [];
  const own = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (ArrayBuffer.isView(value)) return isPart(value) ? copyPart(value, moved) : value;
    if (Array.isArray(value)) return value.map(own);
    if (value instanceof Map) return new Map([...value].map(([key, each]) => [key, own(each)]));
    if (!isPlain(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, own(each)]));
  };
  return { owned: own(message) as Message, moved };
}

/** The buffer behind an array that is all of it, to be moved instead of copied; none where the array is a part of it. */
export const wholeBuffer = ({ buffer, byteLength }: ArrayBufferView): ArrayBuffer[] =>
  buffer instanceof ArrayBuffer && byteLength === buffer.byteLength ? [buffer] : [];

/** Shared memory is not copied by a message. */
const isPart = ({ buffer, byteLength }: ArrayBufferView): boolean =>
  buffer instanceof ArrayBuffer && byteLength < buffer.byteLength;

function copyPart(view: ArrayBufferView, moved: ArrayBuffer[]): ArrayBufferView {
  const { byteOffset, byteLength } = view;
  const copy = (view.buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
  moved.push(copy);
  // A Buffer arrives as a Uint8Array.
  const Kind = view instanceof Uint8Array ? Uint8Array : view.constructor;
  return new (Kind as new (buffer: ArrayBuffer) => ArrayBufferView)(copy);
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};
