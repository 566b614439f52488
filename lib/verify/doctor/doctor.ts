/** What this machine has for speech-dpo, and what it lacks. */
import { examineDevices } from './devices.js';
import type { Finding } from './finding.js';
import { examineNeeds } from './needed.js';
import { examineScores } from './scores.js';
import { examineTools } from './tools.js';

export { doctorSchema, findingSchema, isNeeded, type DoctorReport, type Finding } from './finding.js';

/**
 * Looks at this machine and tries what is there: Node.js, the disk, the embedded model; each device, against the CPU's numbers; NISQA, DNSMOS,
 * Resemblyzer and Whisper, with a second of sound; Python, JupyterLab, Chromium. Nothing is downloaded, and nothing is written.
 *
 * @returns each finding as soon as it is known, group by group
 */
export async function* examineMachine(): AsyncGenerator<Finding> {
  yield* examineNeeds();
  yield* examineDevices();
  yield* examineScores();
  yield* examineTools();
}
