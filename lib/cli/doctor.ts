import { homedir } from 'node:os';
import { inspect } from 'node:util';
import { Command } from 'commander';
import stringWidth from 'string-width';
import { packageVersion } from '../package-root.js';
import { examineMachine, isNeeded, type DoctorReport, type Finding } from '../verify/doctor/doctor.js';
import { showableText } from '../view/escape.js';
import { endedBy } from './interrupt.js';

/** `speech-dpo doctor`: one page on what this machine has, and what it lacks. */
export function doctorCommand(signal: AbortSignal, onCheckFailed: () => void): Command {
  return new Command('doctor')
    .description(
      'say what this machine has for speech-dpo, try it, and name the commands that add what is missing',
    )
    .option('--json', 'print JSON, which docs/devices.md describes', false)
    .action(async ({ json }: { json: boolean }) => {
      if (!(await endedBy(signal, printPage(json)))) onCheckFailed();
    });
}

/** @returns whether all works that the embedded model needs */
async function printPage(json: boolean): Promise<boolean> {
  const { stdout } = process;
  const style = { columns: stdout.columns || 80, isColoured: stdout.isTTY && stdout.hasColors() };
  const version = packageVersion();
  const findings: Finding[] = [];
  if (!json) stdout.write(`speech-dpo ${version} on this machine\n`);
  for await (const finding of examineMachine()) {
    if (!json) {
      if (findings.at(-1)?.group !== finding.group) stdout.write(`\n${titleOf(finding, style)}\n`);
      stdout.write(`${formatFinding(finding, style)}\n`);
    }
    findings.push(finding);
  }
  const ready = findings.every((finding) => !isNeeded(finding) || finding.state === 'ok');
  const report: DoctorReport = { version, ready, findings };
  stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : `\n${formatEnd(report)}\n`);
  return ready;
}

/** What a page is printed for. */
interface PageStyle {
  columns: number;
  isColoured: boolean;
}

const TITLES: Record<Finding['group'], string> = {
  needed: 'Every run needs',
  devices: 'Devices (--device)',
  scores: 'Scores of speech',
  tools: 'Beside Node.js',
};

const titleOf = ({ group }: Finding, style: PageStyle) => paint('bold', TITLES[group], style);

const STATE_COLOURS = { ok: 'green', missing: 'yellow', broken: 'red' } as const;
const MOST_COLUMNS = 100;
/** "  missing  JupyterLab  ". */
const INDENT = ' '.repeat(23);

/** State, name and what was found; below, for what does not work, what it is for and the command that mends it. */
export function formatFinding(finding: Finding, style: PageStyle): string {
  const { state, name, found, matters, mend } = finding;
  const head = `  ${paint(STATE_COLOURS[state], state.padEnd(7), style)}  ${name.padEnd(11)} `;
  const width = Math.min(style.columns, MOST_COLUMNS) - INDENT.length;
  const lines = [found, ...(matters === undefined ? [] : [matters])].flatMap((text) =>
    wrap(showableText(shorten(text)), width),
  );
  const text = head + lines.join(`\n${INDENT}`);
  // A sentence that names the command has told it.
  if (mend === undefined || found.includes(mend)) return text;
  // It stays on one line, to be copied: a long one stands farther left.
  const command = `> ${mend}`;
  const indent = Math.max(2, Math.min(INDENT.length, style.columns - command.length));
  return `${text}\n${' '.repeat(indent)}${paint('cyan', command, style)}`;
}

/** The last line: whether one can begin, and with what. */
function formatEnd({ ready, findings }: Pick<DoctorReport, 'ready' | 'findings'>): string {
  if (ready) {
    const canScore = findings.some(({ name, state }) => name === 'NISQA' && state === 'ok');
    return `Ready. To begin: npx speech-dpo ${canScore ? 'mos' : 'even-token'}`;
  }
  const broken = findings.filter((finding) => isNeeded(finding) && finding.state !== 'ok');
  return `Not ready: ${broken.map(({ name }) => name).join(', ')} must work first.`;
}

/** Not `styleText`, which asks standard output whether it is a terminal in some versions of Node.js and not in others. */
function paint(colour: string, text: string, { isColoured }: PageStyle): string {
  const [on, off] = inspect.colors[colour]!;
  return isColoured ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}

const shorten = (text: string): string => text.replaceAll(homedir(), '~');

/** Lines of at most `width` columns; a word that is longer stays whole. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
    if (lines.length > 0 && stringWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
