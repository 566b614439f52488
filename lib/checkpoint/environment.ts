/** What a person's environment says of folders, the hub and proxies, read as Python's huggingface_hub reads it. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * A path with `~` as the person's home, as Python's expanduser.
 * @throws Error for the home of somebody else (`~name`), which would become a folder of that name here
 */
export function expandHome(path: string): string {
  const [, user, rest] = /^~([^/\\]*)(.*)$/s.exec(path) ?? [];
  if (user) throw new Error(`${path}: only ~/ is known, one's own home; write the whole path of ~${user}.`);
  return user === '' ? homedir() + rest : path;
}

/**
 * A path as {@link expandHome} gives it, and `$NAME`, `${NAME}` as the environment's value, as Python's expandvars; what the environment does
 * not name stays as it is. For what the person wrote: a path from elsewhere could ask for a secret.
 * @throws Error as `expandHome`
 */
export function expandPath(path: string): string {
  return expandHome(path).replace(
    /\$(?:(\w+)|\{([^}]*)\})/g,
    (text, bare: string | undefined, braced: string) => process.env[bare ?? braced] ?? text,
  );
}

/** The path in an environment variable, expanded; undefined where the variable is empty or missing. */
export function pathFromEnvironment(variable: string): string | undefined {
  const path = process.env[variable];
  return path ? expandPath(path) : undefined;
}

/** The user's cache: XDG_CACHE_HOME, else .cache at home. */
export function userCache(): string {
  return pathFromEnvironment('XDG_CACHE_HOME') ?? join(homedir(), '.cache');
}

/** The folder in which Python's huggingface_hub, too, keeps what comes from a hub. */
export function hubCache(): string {
  const home = () => pathFromEnvironment('HF_HOME') ?? join(userCache(), 'huggingface');
  return (
    pathFromEnvironment('HF_HUB_CACHE') ?? pathFromEnvironment('HUGGINGFACE_HUB_CACHE') ?? join(home(), 'hub')
  );
}

/**
 * The hub's address, without a slash at the end: HF_ENDPOINT, else https://huggingface.co.
 * @throws Error when HF_ENDPOINT is no address
 */
export function hubEndpoint(): string {
  const asked = process.env.HF_ENDPOINT?.trim();
  if (!asked) return 'https://huggingface.co';
  checkAddress(asked, 'HF_ENDPOINT');
  return asked.replace(/\/+$/, '');
}

/**
 * Makes sure that a text is an address that can be asked.
 * @param what names it in messages
 */
export function checkAddress(address: string, what: string): void {
  const url = /^https?:\/\/[^/]/i.test(address) && URL.canParse(address) ? new URL(address) : undefined;
  if (url && !url.username && !url.password) return;
  if (url)
    throw new Error(
      `${what} is "${withoutPassword(address)}", and a user and a password in an address cannot be used: leave them out`,
    );
  const [, host = 'huggingface.co'] = /^(?:\w+:\/\/(?:[^/@]*@)?|(?!\w+:\/\/))([\w.-]+)/.exec(address) ?? [];
  throw new Error(
    `${what} is "${withoutPassword(address)}", which is no address: write http:// or https://, a host and perhaps a port, for example ` +
      `https://${host}`,
  );
}

export interface Proxy {
  url: string;
  /** The environment variable that names it. */
  variable: string;
}

/**
 * The proxy through which an origin is asked, as HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say; their names in lower case come first.
 * An entry of NO_PROXY stands for a host and everything below it, at one port only if it names one.
 * @throws Error when the variable holds something else than a proxy of HTTP
 */
export function proxyFor(origin: string): Proxy | undefined {
  const { protocol, hostname, port } = new URL(origin);
  const exempt = readVariable('no_proxy')?.value.split(/[\s,]+/) ?? [];
  const isExempt = exempt.some((entry) => {
    const [, host, onlyPort] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase())!;
    if (entry === '*') return true;
    const isBelow = hostname === host || hostname.endsWith(`.${host}`);
    return host !== '' && isBelow && (!onlyPort || onlyPort === (port || DEFAULT_PORTS[protocol]));
  });
  if (isExempt) return undefined;
  const found = readVariable(`${protocol.slice(0, -1)}_proxy`) ?? readVariable('all_proxy');
  if (!found) return undefined;
  const { variable, value } = found;
  const url = /^[a-z\d]+:\/\//i.test(value) ? value : `http://${value}`;
  if (/^https?:/i.test(url) && URL.canParse(url)) return { url, variable };
  throw new Error(
    `${variable} is "${withoutPassword(value)}"; a proxy is http://host:port or https://host:port, and others cannot be used`,
  );
}

const DEFAULT_PORTS: Record<string, string> = { 'http:': '80', 'https:': '443' };

function readVariable(name: string): { variable: string; value: string } | undefined {
  const variable = [name, name.toUpperCase()].find((candidate) => process.env[candidate]);
  return variable === undefined ? undefined : { variable, value: process.env[variable]!.trim() };
}

/** An address as it may be shown: nothing up to the last @, since a password that is written wrongly may hold any character. */
export function withoutPassword(address: string): string {
  return address.replace(/\/\/.*@/s, '//…@').replace(/([?&]\w*password=)[^&#]*/gi, '$1…');
}

/** How long a server may say nothing: HF_HUB_DOWNLOAD_TIMEOUT, in seconds, else 10. */
export function patienceSeconds(): number {
  const text = process.env.HF_HUB_DOWNLOAD_TIMEOUT;
  if (!text) return 10;
  const seconds = Number(text);
  if (seconds > 0 && seconds < 1e6) return seconds;
  throw new Error(`HF_HUB_DOWNLOAD_TIMEOUT is "${text}"; it is a number of seconds`);
}
