const MINUS = '−';

/** A number with `digits` decimals and a true minus sign; thousands are grouped. The level of silence is "−∞". */
export function formatNumber(value: number, digits = 2): string {
  if (Number.isNaN(value)) return 'NaN';
  const text = Math.abs(value).toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return value < 0 && /[1-9∞]/.test(text) ? MINUS + text : text;
}

/** A difference with its sign, "+1.20" or "−0.35". */
export function formatChange(value: number, digits = 2): string {
  const text = formatNumber(value, digits);
  return text.startsWith(MINUS) || !/[1-9∞]/.test(text) ? text : `+${text}`;
}

/** "1 prompt", "3 prompts". */
export function formatCount(count: number, noun: string): string {
  return `${formatNumber(count, 0)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A duration in at most two units: "4.2 s", "3 min 20 s", "2 h 05 min". */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** A parameter's value as people read it. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential()
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);
}
