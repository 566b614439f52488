import { CpuDevice, type Device } from '../../lib/engine/index.js';

/** A device under another name that lets the CPU do its work; `asked` gets the name of each function that is called. */
export function doubleDevice(
  own: Pick<Device, 'name' | 'description' | 'takeNotices'>,
  asked: string[] = [],
  inner: Device = new CpuDevice(1),
): Device {
  return new Proxy(inner, {
    get(target, key) {
      if (key in own) return own[key as keyof typeof own];
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        asked.push(String(key));
        return Reflect.apply(value, target, args);
      };
    },
  });
}
