"""Publishes what Remdis' modules publish: reads lines of JSON from standard input, each a unit or a pause.

{"exchange": "tts", "update_type": "add", "data_type": "audio", "body": "...", "id": "..."}
{"sleep": 0.04}
"""
import json
import sys
import time
import uuid

import pika

connection = pika.BlockingConnection(pika.ConnectionParameters(host="127.0.0.1", port=int(sys.argv[1])))
channel = connection.channel()
for exchange in ("tts", "dialogue", "dialogue2"):
    channel.exchange_declare(exchange, "fanout")
print("ready", flush=True)
for line in sys.stdin:
    unit = json.loads(line)
    if "sleep" in unit:
        time.sleep(unit["sleep"])
        continue
    if "raw" in unit:
        channel.basic_publish(exchange=unit["exchange"], routing_key="", body=unit["raw"])
        continue
    unit = {"timestamp": time.time(), "id": str(uuid.uuid1()), "producer": "Test", **unit}
    channel.basic_publish(exchange=unit["exchange"], routing_key="", body=json.dumps(unit))
connection.close()
