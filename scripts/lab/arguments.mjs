import { root } from '../setup.mjs';

/**
 * What Python is started with to be a JupyterLab on a folder of notebooks that listens on this machine only. Nothing is said of a token: then
 * Jupyter makes one up and asks for it.
 */
export function labArguments(further, folder = 'notebooks') {
  return [
    // Not the command jupyter, which holds the path of the Python it was installed for: the project's folder may have moved.
    '-m',
    'jupyterlab',
    '--ip=127.0.0.1',
    `--ServerApp.root_dir=${root}`,
    `--LabApp.default_url=/lab/tree/${folder}`,
    // Above these Jupyter drops what a cell shows: 1,000 messages or 1 MB a second as it comes, which a few players exceed.
    '--ZMQChannelsWebsocketConnection.iopub_msg_rate_limit=100000',
    '--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=100000000',
    // A root user (containers) would be refused otherwise.
    ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
    ...further,
  ];
}
