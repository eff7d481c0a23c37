"""Starts a Beam worker as ``boot`` in Beam's containers does, for PROCESS environments; ``boot`` is written in Go."""

from __future__ import annotations

import argparse
import os
import sys

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.worker import sdk_worker_main
from google.protobuf import json_format, text_format


def main() -> None:
    """Asks the engine for the job's options, and works for it until it is stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id")
    parser.add_argument("--provision_endpoint")
    told, _ = parser.parse_known_args()
    worker_id = told.id.strip("'")  # Prism 2.77 gives it in quotes
    service = beam_provision_api_pb2_grpc.ProvisionServiceStub(grpc.insecure_channel(told.provision_endpoint))
    request = beam_provision_api_pb2.GetProvisionInfoRequest()
    info = service.GetProvisionInfo(request, metadata=[("worker_id", worker_id)]).info
    os.environ["WORKER_ID"] = worker_id
    os.environ["PIPELINE_OPTIONS"] = json_format.MessageToJson(info.pipeline_options)
    os.environ["CONTROL_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(info.control_endpoint)
    os.environ["LOGGING_API_SERVICE_DESCRIPTOR"] = text_format.MessageToString(info.logging_endpoint)
    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
