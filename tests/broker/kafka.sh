#!/bin/sh
# Makes Apache Kafka's jars available and prints the directory that holds them.
#
#   tests/broker/kafka.sh current|legacy
#
# `current` is a broker of today (KRaft), `legacy` is the version that DataWorks runs (with ZooKeeper).
# KAFKA_HOME (an unpacked distribution, or a directory with `libs`) is used for `current` if set,
# KAFKA_LEGACY_HOME for `legacy`. Otherwise Maven fetches the jars once into OPENEVENTD_KAFKA_CACHE
# (default: $XDG_CACHE_HOME/openeventd, or ~/.cache/openeventd). Needs Java 17 and Maven; exit 69 without.
set -eu

case "${1:-}" in
current)
    version=4.3.1
    home=${KAFKA_HOME:-}
    artifact=kafka_2.13
    managed=''
    ;;
legacy)
    version=2.2.0
    home=${KAFKA_LEGACY_HOME:-}
    artifact=kafka_2.12
    # ZooKeeper 3.4 of that release needs Java 11 or older; 3.5 runs on 17 and speaks the same protocol.
    managed='<dependencyManagement><dependencies><dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>3.5.10</version></dependency></dependencies></dependencyManagement>'
    ;;
*)
    echo "usage: $0 current|legacy" >&2
    exit 64
    ;;
esac

if ! command -v java >/dev/null; then
    echo "no java on the PATH: install a Java 17 runtime (Debian: openjdk-17-jre-headless)" >&2
    exit 69
fi
if [ -n "$home" ]; then
    [ -d "$home/libs" ] || { echo "$home has no directory libs" >&2; exit 69; }
    echo "$home/libs"
    exit 0
fi

cache=${OPENEVENTD_KAFKA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openeventd}
target=$cache/kafka-$version
if [ -e "$target/complete" ]; then
    echo "$target/libs"
    exit 0
fi
if ! command -v mvn >/dev/null; then
    echo "no mvn on the PATH to fetch Kafka $version: install Maven (Debian: maven) or set KAFKA_HOME" >&2
    exit 69
fi

# Fetched beside its place and moved there whole, so that two runs at once cannot see half of it.
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
# slf4j-simple: without a binding the broker logs nothing, and its readiness is read from the log.
cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>openeventd.tests</groupId><artifactId>kafka</artifactId><version>1</version>
  $managed
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
(cd "$work" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=libs >&2) || {
    echo "Maven could not fetch Kafka $version (see above)" >&2
    exit 69
}
touch "$work/complete"
mv -T "$work" "$target" 2>/dev/null || [ -e "$target/complete" ]
echo "$target/libs"
