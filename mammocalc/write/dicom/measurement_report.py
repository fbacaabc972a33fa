"""Comprehensive SR with measurements of every calcification, for research viewers (PS3.16 TID 1500)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ComprehensiveSRStorage

from mammocalc.write.dicom.codes import (
    AREA,
    CALCIFICATION_CLUSTER,
    DIAMETER,
    DISTRIBUTIONS,
    INDIVIDUAL_CALCIFICATION,
    LENGTH,
    LONG_AXIS,
    MILLIMETRE,
    NO_UNITS,
    PERCENT,
    SQUARE_MILLIMETRE,
    WIDTH,
    calcification_type,
    dcm,
    sct,
)
from mammocalc.write.dicom.foreign import BEING_BUILT, adopted, completed, load_highdicom
from mammocalc.write.dicom.objects import MANUFACTURER, as_file, derived_uid, in_study, software_version
from mammocalc.write.dicom.report import ReportedCalcification, ReportedCluster, ReportedImage

SERIES_NUMBER = 9102

_CALCIFICATION_TYPE = dcm("111009", "Calcification Type")
_DISTRIBUTION = dcm("111008", "Calcification Distribution")
_CERTAINTY = dcm("111012", "Certainty of Finding")
_NUMBER = dcm("111038", "Number of calcifications")
_BREAST = sct("76752008", "Breast")
_LATERALITY = {"L": sct("7771000", "Left"), "R": sct("24028007", "Right")}


def measurement_report(image: ReportedImage, source: Dataset, configuration: str) -> bytes:
    """A Comprehensive SR with a measurement group a calcification and a cluster, as the bytes of a file.

    Parameters
    ----------
    image : ReportedImage
        A searched image. How many calcifications it has is stated of the image, none as well.
    source : Dataset
        Its header, as `mammocalc.write.dicom.source.read_source` gives it.
    configuration : str
        As `mammocalc.write.dicom.study.configuration_of` gives it.

    Raises
    ------
    UnwritableObject
        Where highdicom is not installed.
    """
    highdicom = load_highdicom()
    sr = highdicom.sr
    ours = in_study([source], ComprehensiveSRStorage, "SR", "measurements", SERIES_NUMBER, configuration)
    device = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", MANUFACTURER, software_version()),
            name=MANUFACTURER,
            manufacturer_name=MANUFACTURER,
            model_name=MANUFACTURER,
        ),
    )
    groups = _Groups(sr, image, configuration)
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=device),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=[groups.whole_image()]
        + [
            group
            for cluster in image.clusters
            for group in (groups.cluster(cluster), *map(groups.calcification, cluster.calcifications))
        ]
        + [groups.calcification(single) for single in image.calcifications],
        title=codes.DCM.ImagingMeasurementReport,
    )
    built = sr.ComprehensiveSR(
        evidence=[completed(source)],
        content=content[0],
        series_instance_uid=BEING_BUILT,
        series_number=SERIES_NUMBER,
        sop_instance_uid=BEING_BUILT,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
    )
    return as_file(adopted(built, ours))


class _Groups:
    """Measurement groups of one image."""

    def __init__(self, sr: Any, image: ReportedImage, configuration: str) -> None:
        self._sr = sr
        self._image = image
        self._configuration = configuration
        # Counted from 1 in files.
        self._frames = None if image.frame is None else [image.frame + 1]
        self._sites = [sr.FindingSite(_BREAST, laterality=_LATERALITY.get(image.laterality))]
        self._algorithm = sr.AlgorithmIdentification(
            name=MANUFACTURER, version=software_version(), parameters=[configuration]
        )

    def whole_image(self) -> Any:
        """How many calcifications there are."""
        sr = self._sr
        count = float(len(self._image.all_calcifications))
        return sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=self._tracking("image"),
            finding_type=INDIVIDUAL_CALCIFICATION,
            algorithm_id=self._algorithm,
            finding_sites=self._sites,
            measurements=[sr.Measurement(name=_NUMBER, value=count, unit=NO_UNITS)],
            source_images=[
                sr.SourceImageForMeasurementGroup(
                    self._image.sop_class_uid, self._image.sop_instance_uid, self._frames
                )
            ],
        )

    def calcification(self, single: ReportedCalcification) -> Any:
        """A calcification with its outline, sizes and type."""
        kind = calcification_type(single.label, single.length_mm)
        return self._group(
            f"calcification {single.calcification_id}",
            single,
            INDIVIDUAL_CALCIFICATION,
            {
                _CERTAINTY: (single.certainty_percent, PERCENT),
                LENGTH: (single.length_mm, MILLIMETRE),
                WIDTH: (single.width_mm, MILLIMETRE),
                DIAMETER: (single.diameter_mm, MILLIMETRE),
                AREA: (single.area_mm2, SQUARE_MILLIMETRE),
            },
            {_CALCIFICATION_TYPE: kind},
        )

    def cluster(self, cluster: ReportedCluster) -> Any:
        """A cluster with its hull, extent, type and distribution."""
        evaluations = {_CALCIFICATION_TYPE: calcification_type(cluster.morphology, None)}
        if cluster.distribution in DISTRIBUTIONS:
            evaluations[_DISTRIBUTION] = DISTRIBUTIONS[cluster.distribution]
        return self._group(
            f"cluster {cluster.cluster_id}",
            cluster,
            CALCIFICATION_CLUSTER,
            {
                _CERTAINTY: (cluster.certainty_percent, PERCENT),
                _NUMBER: (float(cluster.n_calcifications), NO_UNITS),
                LONG_AXIS: (cluster.extent_mm, MILLIMETRE),
                AREA: (cluster.area_mm2, SQUARE_MILLIMETRE),
            },
            evaluations,
        )

    def _group(
        self,
        name: str,
        finding: ReportedCalcification | ReportedCluster,
        kind: Code,
        measured: Mapping[Code, tuple[float | None, Code]],
        evaluations: Mapping[Code, Code],
    ) -> Any:
        sr = self._sr
        corners = np.array([*finding.outline, finding.outline[0]])[:, ::-1] + 0.5
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=self._tracking(name),
            referenced_region=sr.ImageRegion(
                graphic_type=sr.GraphicTypeValues.POLYLINE,
                graphic_data=corners,
                source_image=sr.SourceImageForRegion(
                    self._image.sop_class_uid, self._image.sop_instance_uid, self._frames
                ),
            ),
            finding_type=kind,
            algorithm_id=self._algorithm,
            finding_sites=self._sites,
            measurements=[
                sr.Measurement(name=concept, value=value, unit=unit)
                for concept, (value, unit) in measured.items()
                if value is not None
            ],
            qualitative_evaluations=[
                sr.QualitativeEvaluation(name=concept, value=value) for concept, value in evaluations.items()
            ],
        )

    def _tracking(self, name: str) -> Any:
        words = (self._image.sop_instance_uid, str(self._frames), self._configuration, name)
        return self._sr.TrackingIdentifier(uid=derived_uid("finding", *words), identifier=name)
