// Finds a Python that can make .venv. Plain JavaScript on Node.js alone.
import { spawnSync } from 'node:child_process';

const OLDEST = [3, 10];
const PROBE = 'import json, sys, venv, ensurepip; print(json.dumps(sys.version_info[:3]))';

/**
 * The command of a Python that is new enough and has venv: the environment's PYTHON, else python3, else python.
 *
 * @throws Error in words that say what to install
 */
export function findPython(environment = process.env) {
  const candidates = environment.PYTHON ? [environment.PYTHON] : ['python3', 'python'];
  const wanted = `Python ${OLDEST.join('.')} or newer`;
  const problems = [];
  for (const command of candidates) {
    const { error, status, stdout, stderr } = spawnSync(command, ['-c', PROBE], {
      encoding: 'utf8',
      env: environment,
    });
    if (error) continue;
    if (status !== 0) {
      const incomplete = /No module named '?(venv|ensurepip)/.test(stderr);
      problems.push(
        incomplete
          ? `${command} lacks venv (on Debian and Ubuntu: apt install python3-venv)`
          : `${command} does not run: ${stderr.trim().split('\n').at(-1)}`,
      );
      continue;
    }
    const version = JSON.parse(stdout);
    if (isOldEnough(version)) return command;
    problems.push(`${command} is Python ${version.join('.')}`);
  }
  const found = problems.length > 0 ? problems.join('; ') : `${candidates.join(' and ')} not found`;
  throw new Error(
    `The notebooks need ${wanted} with venv, for JupyterLab: ${found}.\n` +
      'Install one (python.org, your package manager), or name one: PYTHON=/path/to/python npm run lab',
  );
}

function isOldEnough([major, minor]) {
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
