#!/usr/bin/env bash
# The whole road on real trips: from a CSV file to predictions, drift, alerts and proof. Every command is shown as it is
# run and can be typed as it stands. It may be stopped or killed anywhere and run again; what is done already is kept.
#
# DEMO_DATA    data directory        (build/demo)
# DEMO_LISTEN  address and port      (127.0.0.1:7070)
# CAIRN        the program           (build/cairn)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
taxi=examples/taxi
cairn=${CAIRN:-build/cairn}
export CAIRN_DATA=${DEMO_DATA:-build/demo}
listen=${DEMO_LISTEN:-127.0.0.1:7070}
unset CAIRN_URL CAIRN_TOKEN
started=$SECONDS
step=0
step_name=start
last=

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

failed() {
	local status=$?
	echo
	echo "The demo stopped in step $step ($step_name). Run it again: it goes on from what is there." >&2
	[ "$step" != 1 ] || echo "If the port is taken, DEMO_LISTEN=127.0.0.1:0 takes a free one." >&2
	echo "cairn's log: $CAIRN_DATA/log/cairn.log" >&2
	exit "$status"
}
trap failed ERR

step() {
	step=$((step + 1))
	step_name=$1
	printf '\n%s%2d. %s%s\n' "$bold" "$step" "$1" "$plain"
}

# Shows a command as one would type it.
show() {
	local word line='$'
	for word in "$@"; do
		case $word in
		*[!A-Za-z0-9_./:@=,+%-]*|'') line+=" \"${word//\"/\\\"}\"" ;;
		*) line+=" $word" ;;
		esac
	done
	printf '%s%s%s\n' "$dim" "$line" "$plain"
}

# Shows and runs a command; what it printed is in $last.
run() {
	show "$@"
	local out
	out=$(mktemp)
	if ! "$@" | tee "$out"; then
		rm -f "$out"
		return 1
	fi
	last=$(<"$out")
	rm -f "$out"
}

# The first match of a pattern's group in what the last command printed.
found() {
	[[ $last =~ $1 ]] || { echo "the demo looked in vain for $1 in the answer" >&2; return 1; }
	echo "${BASH_REMATCH[1]}"
}

echo "${bold}cairn: from a CSV file to watched predictions, on 6,433 taxi trips${plain}"
echo "${dim}\$ export CAIRN_DATA=$CAIRN_DATA${plain}"

step "Start the platform"
run "$cairn" up --listen "$listen"

step "Ingest the trips into a versioned dataset"
run "$cairn" dataset ingest $taxi/data/taxis.csv --name trips --time-columns pickup,dropoff

step "Clean them and compute zone statistics, behind quality gates"
run "$cairn" pipeline apply $taxi/pipeline.yaml
run "$cairn" pipeline run trips_clean

step "Declare features and bring them online"
run "$cairn" features apply $taxi/features.yaml
run "$cairn" features materialise zone_stats --as-of 2019-03-25T00:00:00Z
run "$cairn" features get zone_stats:trips_7d,zone_stats:fare_avg_7d "pickup_zone=Midtown Center" --any-age

step "Join fares with the features as they were at each pickup"
run "$cairn" training-set create $taxi/training_set.yaml

step "Search for the best model; every trial is a tracked run"
run "$cairn" train $taxi/train.yaml
best=$(found 'best run ([0-9a-f]{32})')

step "Register it, make it the champion, and convert it to ONNX"
run "$cairn" models register taxi-fare --run "$best" --alias champion
run "$cairn" models convert taxi-fare@champion --to onnx --name taxi-fare-onnx --alias champion

step "Deploy both behind endpoints, with a key for their callers"
run "$cairn" endpoint apply $taxi/endpoint.yaml
run "$cairn" endpoint apply $taxi/endpoint-onnx.yaml
key_file=$CAIRN_DATA/demo.key
if [ ! -s "$key_file" ]; then
	run "$cairn" key create taxi-demo --scope "endpoint.invoke:taxi-fare endpoint.invoke:taxi-fare-onnx"
	(umask 077 && found 'key +(cairn_[A-Za-z0-9_-]+)' >"$key_file.new" && mv "$key_file.new" "$key_file")
fi
key=$(<"$key_file")
run "$cairn" predict taxi-fare distance=2.5 passengers=1 hour=18 is_weekend=0 is_airport=0 crosses_borough=0 \
	"pickup_zone=Midtown Center"
prediction=$(found 'prediction (pr_[0-9A-Z]+)')

step "Replay the last week day by day: yellow cabs as trained, green cabs as a changed world"
for day in 25 26 27 28 29 30 31; do
	from=2019-03-$day
	to=$([ "$day" = 31 ] && echo 2019-04-01 || echo "2019-03-$((day + 1))")
	[ "$day" = 25 ] || run "$cairn" features materialise zone_stats --as-of "${from}T00:00:00Z"
	run "$cairn" replay taxi-fare --dataset trips_clean --time-column pickup --from "$from" --to "$to" \
		--where "color = 'yellow'" --label fare --rate 400
	run "$cairn" replay taxi-fare-onnx --dataset trips_clean --time-column pickup --from "$from" --to "$to" \
		--where "color = 'green'" --label fare --rate 400
done

step "Watch it: errors by the labels, drift, alerts"
run "$cairn" quality taxi-fare
run "$cairn" drift taxi-fare
run "$cairn" drift taxi-fare-onnx
run "$cairn" alerts apply $taxi/alerts.yaml
run "$cairn" alerts evaluate

step "Prove it: one prediction back to its file, and every check against the live system"
run "$cairn" lineage "$prediction"
run "$cairn" verify
run "$cairn" roadmap --begun

url=$("$cairn" status --json >/dev/null && sed -n 's/.*"url":"\([^"]*\)".*/\1/p' "$CAIRN_DATA/server.json")
link=$("$cairn" console)
cat <<TRY

${bold}Done in $((SECONDS - started)) s. cairn is up at $url.${plain} What to try next, from $PWD:

  export CAIRN_DATA=$CAIRN_DATA

  The console, opened by a link that works once (another: $cairn console)
    $link

  A prediction over the Open Inference Protocol, with the callers' key
    curl -s $url/v2/models/taxi-fare/infer -H "Authorization: Bearer $key" -H "Content-Type: application/json" -d '{"inputs":[
      {"name":"distance","datatype":"FP32","shape":[1],"data":[2.5]}, {"name":"passengers","datatype":"FP32","shape":[1],"data":[1]},
      {"name":"hour","datatype":"FP32","shape":[1],"data":[18]}, {"name":"is_weekend","datatype":"FP32","shape":[1],"data":[0]},
      {"name":"is_airport","datatype":"FP32","shape":[1],"data":[0]}, {"name":"crosses_borough","datatype":"FP32","shape":[1],"data":[0]},
      {"name":"pickup_zone","datatype":"BYTES","shape":[1],"data":["Midtown Center"]}]}'

  The runs of the search, in MLflow's own client (pip install mlflow-skinny)
    MLFLOW_TRACKING_URI=$url MLFLOW_TRACKING_TOKEN=\$(cat $CAIRN_DATA/admin.token) python3 -c 'import mlflow; [print(r.info.run_name, r.data.metrics) for r in mlflow.search_runs(experiment_names=["taxi-fare"], order_by=["metrics.rmse"], output_format="list")[:5]]'

  Metrics for Prometheus (prometheus.yml)
    scrape_configs:
      - job_name: cairn
        authorization: {credentials_file: $(realpath "$CAIRN_DATA")/admin.token}
        static_configs: [{targets: ["${url#http://}"]}]

  Other looks
    $cairn runs list --experiment taxi-fare --order "metrics.rmse ASC" --limit 5
    $cairn query "SELECT pickup_zone, count(*) AS trips, avg(fare) AS fare FROM trips_clean GROUP BY 1 ORDER BY 2 DESC LIMIT 5"

  Stop it
    $cairn down
TRY
