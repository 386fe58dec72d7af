// The words of the page in English and French, and the choice between them.

const words = {
  skip: ["Skip to the flow", "Aller aux flux"],
  live: ["live", "en direct"],
  restart: ["Start again", "Recommencer"],
  language: ["Français", "English"],
  themeDark: ["Dark", "Sombre"],
  themeLight: ["Light", "Clair"],
  tour: ["Guided tour", "Visite guidée"],
  pause: ["Pause", "Pause"],
  resume: ["Go on", "Continuer"],
  again: ["Tour from the start", "Revoir la visite"],
  next: ["Next step", "Étape suivante"],
  speed: ["Pace", "Rythme"],
  slow: ["slow", "lent"],
  normal: ["normal", "normal"],
  fast: ["fast", "rapide"],
  scenes: ["What if", "Et si"],
  contract: ["Contract", "Contrat"],
  contractIs: ["master of contracts and mandates", "maître des contrats et des mandats"],
  billing: ["Billing", "Facturation"],
  billingIs: ["purchases and invoices, on two instances", "achats et factures, sur deux instances"],
  logIs: ["private log, the only store", "journal privé, seul stockage"],
  topicsAre: ["public topics", "topics publics"],
  dead: ["dead letters", "messages en rebut"],
  models: ["Read models", "Modèles de lecture"],
  modelsAre: ["outstanding amount against ceiling, as each instance answers", "encours et plafond, tels que chaque instance les donne"],
  keys: ["Space plays or pauses the tour, N plays the next step. Choose any row to see its whole path.", "Espace lance ou suspend la visite, N joue l'étape suivante. Choisissez une ligne pour voir tout son parcours."],
  close: ["Close", "Fermer"],
  starting: ["The system is starting", "Le système démarre"],
  running: ["Running", "En marche"],
  failed: ["Not running", "À l'arrêt"],
  away: ["No connection to the live view, trying again", "Pas de connexion à la vue, nouvel essai"],
  welcome: ["Two services, one log each, and Kafka between them", "Deux services, un journal chacun, et Kafka entre les deux"],
  welcomeWhy: ["A works council subscribes, signs a mandate, buys, and pays at the end of the month. The tour plays it in 31 steps on real processes. You can stop, kill or cut off any of them.",
    "Un comité d'entreprise souscrit, signe un mandat, achète, et paie en fin de mois. La visite le joue en 31 étapes sur de vrais processus. Vous pouvez arrêter, tuer ou isoler chacun d'eux."],
  step: ["Step {0} of {1}", "Étape {0} sur {1}"],
  clockIs: ["clock of the services: {0}", "horloge des services : {0}"],
  publishes: ["publishes", "publie"],
  ready: ["ready", "prête"],
  notReady: ["not ready", "pas prête"],
  down: ["not running", "arrêtée"],
  frozen: ["frozen", "gelée"],
  cutOff: ["cut off", "isolée"],
  noAnswer: ["no answer", "sans réponse"],
  stop: ["Stop", "Arrêter"],
  kill: ["Kill", "Tuer"],
  freeze: ["Freeze", "Geler"],
  cut: ["Cut off", "Isoler"],
  back: ["Bring back", "Rétablir"],
  stopOn: ["Stop {0} with SIGTERM", "Arrêter {0} par SIGTERM"],
  killOn: ["Kill {0} with SIGKILL", "Tuer {0} par SIGKILL"],
  freezeOn: ["Freeze {0} with SIGSTOP", "Geler {0} par SIGSTOP"],
  cutOn: ["Cut the network of {0}", "Couper le réseau de {0}"],
  backOn: ["Bring {0} back", "Rétablir {0}"],
  buy: ["A purchase", "Un achat"],
  lost: ["An answer is lost", "Une réponse se perd"],
  crash: ["An instance is killed", "Une instance est tuée"],
  twins: ["One request twice", "Une requête en double"],
  race: ["Two purchases race", "Deux achats simultanés"],
  rush: ["200 purchases", "200 achats"],
  replay: ["A repeated message", "Un message répété"],
  poison: ["A poison message", "Un message illisible"],
  month: ["The month ends", "Le mois se termine"],
  buyWhy: ["Another customer buys for 20.00 EUR.", "Un autre client achète pour 20,00 €."],
  lostWhy: ["The first answer never arrives, so the client sends the same request to the other instance. There is one purchase, and the answer is the same.",
    "La première réponse n'arrive jamais : le client renvoie la même requête à l'autre instance. Il n'y a qu'un achat, et la réponse est la même."],
  crashWhy: ["An instance records a purchase and is killed before its answer arrives. The client sends the same request to the other instance and gets the same answer.",
    "Une instance enregistre un achat et est tuée avant que sa réponse n'arrive. Le client renvoie la même requête à l'autre instance et reçoit la même réponse."],
  twinsWhy: ["The same request is sent to both instances, and they decide at once. The log keeps one record; a second one would be void. Both give the same answer.",
    "La même requête part vers les deux instances, qui décident en même temps. Le journal garde un enregistrement ; un second serait nul. Les deux donnent la même réponse."],
  raceWhy: ["Two purchases of 3,000.00 EUR at the same instant, under a ceiling of 5,000.00. One is accepted, the other is decided again and refused.",
    "Deux achats de 3 000,00 € au même instant, sous un plafond de 5 000,00 €. L'un est accepté, l'autre est décidé de nouveau et refusé."],
  rushWhy: ["Eight callers buy on all instances as fast as they can, on one contract.", "Huit appelants achètent aussi vite que possible sur toutes les instances, sur un seul contrat."],
  replayWhy: ["The newest fact is written to the topic twice more, with the same id. Billing has that version already and records nothing.",
    "Le fait le plus récent est écrit deux fois de plus, avec le même identifiant. La facturation a déjà cette version et n'enregistre rien."],
  poisonWhy: ["A message that nobody can decode is set aside as a dead letter, and the next ones are not held up.",
    "Un message que personne ne peut décoder est mis au rebut, et les suivants ne sont pas retenus."],
  monthWhy: ["The clock of the services moves past the end of the month, and the month is billed.", "L'horloge des services passe la fin du mois, et le mois est facturé."],
  stopWhy: ["{0} is asked to end, finishes its work and exits.", "{0} est priée de s'arrêter, finit son travail et se termine."],
  killWhy: ["{0} ends at once, without finishing anything. Its state is its log.", "{0} s'arrête net, sans rien finir. Son état est son journal."],
  freezeWhy: ["{0} stands still, as in a long pause. When it wakes up, what it appends is void if the log has moved on.",
    "{0} se fige, comme lors d'une longue pause. À son réveil, ce qu'elle ajoute est nul si le journal a avancé."],
  cutWhy: ["{0} no longer reaches the broker or the registry. It answers 503 rather than guess.", "{0} n'atteint plus ni le broker ni le registre. Elle répond 503 plutôt que de deviner."],
  backWhy: ["{0} is started, resumed or connected again, and catches up from its log.", "{0} est redémarrée, réveillée ou reconnectée, et rattrape son journal."],
  stopDone: ["stopped", "arrêtée"],
  killDone: ["killed", "tuée"],
  freezeDone: ["frozen", "gelée"],
  cutDone: ["cut off", "isolée"],
  backDone: ["back", "de retour"],
  done: ["Done.", "Fait."],
  failedWith: ["Failed: {0}", "Échec : {0}"],
  "no-processes": ["These processes belong to others, such as containers. Run make live to control them.", "Ces processus appartiennent à d'autres, par exemple à des conteneurs. Lancez make live pour les piloter."],
  "story-runs": ["The story moves the clock itself, in step 19.", "L'histoire avance l'horloge elle-même, à l'étape 19."],
  "story-failed": ["A step has failed. Start again.", "Une étape a échoué. Recommencez."],
  "story-over": ["The whole story has been played. Start again to see it once more.", "Toute l'histoire a été jouée. Recommencez pour la revoir."],
  busy: ["Busy: {0}", "Occupé : {0}"],
  backAgain: ["Connected again. {0} events happened meanwhile.", "Reconnecté. {0} événements entre-temps."],
  backLost: ["Connected again. {0} events are too old to be shown.", "Reconnecté. {0} événements sont trop anciens pour être montrés."],
  unpublished: ["{0} unpublished", "{0} non publiés"],
  published: ["all published", "tout est publié"],
  nobody: ["nobody publishes", "personne ne publie"],
  by: ["by {0}", "par {0}"],
  lag: ["{0} not taken in", "{0} non lus"],
  noLag: ["all taken in", "tout est lu"],
  on: ["on", "sur"],
  fresh: ["new", "nouveau"],
  key: ["key", "clé"],
  event: ["event", "événement"],
  void: ["void", "nul"],
  voidWhy: ["{0} was at {1} already", "{0} en était déjà à {1}"],
  againId: ["again, same id", "de nouveau, même id"],
  replayed: ["replayed", "rejouée"],
  lostAnswer: ["answer lost", "réponse perdue"],
  unreadable: ["cannot be decoded", "illisible"],
  tombstone: ["tombstone", "pierre tombale"],
  pending: ["waiting", "en attente"],
  of: ["of", "sur"],
  available: ["available", "disponible"],
  hint: ["Each of these is played at once, with another customer than the story's.", "Chaque bouton joue une scène sur-le-champ, avec un autre client que celui de l'histoire."],
  notInvoiced: ["not invoiced", "non facturé"],
  notSettled: ["not settled", "non réglé"],
  behind: ["behind", "en retard"],
  noContracts: ["No contract yet.", "Pas encore de contrat."],
  mandate: ["mandate", "mandat"],
  pathOf: ["The path of {0}", "Le parcours de {0}"],
  trace: ["trace", "trace"],
  traces: ["traces", "traces"],
  client: ["client", "client"],
};

let language = localStorage.getItem("language") || (navigator.language.startsWith("fr") ? "fr" : "en");

export const lang = () => language;

// w returns a word, with {0}, {1} replaced.
export function w(name, ...values) {
  const pair = words[name];
  if (!pair) return name;
  return spaced(pair[language === "fr" ? 1 : 0]).replace(/\{(\d)\}/g, (_, i) => values[i]);
}

// spaced keeps French punctuation on the line of the word before it.
export const spaced = (text) => (language === "fr" ? text.replace(/ ([:;?!€])/g, "\u00a0$1") : text);

export const has = (name) => name in words;

// setLanguage changes the language and every element that names a word.
export function setLanguage(to) {
  language = to;
  localStorage.setItem("language", to);
  document.documentElement.lang = to;
  for (const e of document.querySelectorAll("[data-w]")) e.textContent = w(e.dataset.w);
}

const number = { en: new Intl.NumberFormat("en", { minimumFractionDigits: 2 }), fr: new Intl.NumberFormat("fr", { minimumFractionDigits: 2 }) };

// money formats minor units.
export const money = (minor) => number[language].format(minor / 100);

export const time = (text) => new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(text));
