/** What each notebook shows, in JupyterLab as on a page of HTML: charts, and players of recordings. */
export const NOTEBOOKS = [
  { name: 'dpo_even_token', charts: 5, players: 10 },
  { name: 'dpo_length', charts: 5, players: 10 },
  { name: 'dpo_mos', charts: 6, players: 10 },
  { name: 'compare_runs', charts: 4, players: 10 },
  { name: 'quick_train_eval', charts: 4, players: 4 },
  { name: 'test_audio_metrics', charts: 2, players: 6 },
];
