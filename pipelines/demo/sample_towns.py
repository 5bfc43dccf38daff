"""Where sample accidents happen: French communes with their INSEE code, centre and a weight that follows their size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Town:
    """A commune: INSEE code of five characters, WGS 84 degrees of its centre, and how often it is drawn."""

    commune: str
    latitude: float
    longitude: float
    weight: float

    @property
    def department(self) -> str:
        """INSEE code of the department: ``01``, ``2A``, ``974``."""
        return self.commune[:3] if self.commune.startswith(("97", "98")) else self.commune[:2]

    @property
    def is_overseas(self) -> bool:
        """Whether the commune lies outside metropolitan France."""
        return self.commune.startswith(("97", "98"))


TOWNS = tuple(
    Town(*entry)
    for entry in (
        ("75115", 48.8412, 2.3003, 40),  # Paris 15
        ("75119", 48.8871, 2.3848, 40),  # Paris 19
        ("93066", 48.9362, 2.3574, 24),  # Saint-Denis
        ("94028", 48.7904, 2.4556, 22),  # Créteil
        ("92050", 48.8924, 2.2153, 22),  # Nanterre
        ("13208", 43.2600, 5.3800, 26),  # Marseille 8
        ("13063", 43.5870, 5.0030, 8),  # Miramas
        ("69383", 45.7570, 4.8500, 24),  # Lyon 3
        ("31555", 43.6045, 1.4440, 22),  # Toulouse
        ("06088", 43.7034, 7.2663, 22),  # Nice
        ("44109", 47.2184, -1.5536, 18),  # Nantes
        ("34172", 43.6108, 3.8767, 16),  # Montpellier
        ("67482", 48.5734, 7.7521, 16),  # Strasbourg
        ("33063", 44.8378, -0.5792, 18),  # Bordeaux
        ("59350", 50.6292, 3.0573, 20),  # Lille
        ("35238", 48.1173, -1.6778, 14),  # Rennes
        ("51454", 49.2583, 4.0317, 10),  # Reims
        ("42218", 45.4397, 4.3872, 9),  # Saint-Étienne
        ("83137", 43.1242, 5.9280, 12),  # Toulon
        ("76351", 49.4944, 0.1079, 9),  # Le Havre
        ("76540", 49.4432, 1.0993, 9),  # Rouen
        ("38185", 45.1885, 5.7245, 12),  # Grenoble
        ("21231", 47.3220, 5.0415, 8),  # Dijon
        ("49007", 47.4784, -0.5632, 8),  # Angers
        ("30189", 43.8367, 4.3601, 9),  # Nîmes
        ("63113", 45.7772, 3.0870, 8),  # Clermont-Ferrand
        ("72181", 48.0061, 0.1996, 7),  # Le Mans
        ("29019", 48.3904, -4.4861, 6),  # Brest
        ("37261", 47.3941, 0.6848, 7),  # Tours
        ("80021", 49.8941, 2.2958, 7),  # Amiens
        ("87085", 45.8336, 1.2611, 5),  # Limoges
        ("57463", 49.1193, 6.1757, 7),  # Metz
        ("25056", 47.2378, 6.0241, 5),  # Besançon
        ("66136", 42.6887, 2.8948, 7),  # Perpignan
        ("45234", 47.9029, 1.9093, 6),  # Orléans
        ("14118", 49.1829, -0.3707, 6),  # Caen
        ("54395", 48.6921, 6.1844, 6),  # Nancy
        ("84007", 43.9493, 4.8055, 7),  # Avignon
        ("86194", 46.5802, 0.3404, 4),  # Poitiers
        ("17300", 46.1603, -1.1511, 5),  # La Rochelle
        ("64445", 43.2951, -0.3708, 5),  # Pau
        ("74010", 45.8992, 6.1294, 6),  # Annecy
        ("01053", 46.2052, 5.2255, 4),  # Bourg-en-Bresse
        ("2A004", 41.9192, 8.7386, 4),  # Ajaccio
        ("2B033", 42.6973, 9.4509, 4),  # Bastia
        ("97120", 16.2411, -61.5331, 4),  # Pointe-à-Pitre
        ("97209", 14.6161, -61.0588, 4),  # Fort-de-France
        ("97302", 4.9224, -52.3135, 3),  # Cayenne
        ("97411", -20.8789, 55.4481, 5),  # Saint-Denis (Réunion)
        ("97608", -12.7806, 45.2279, 2),  # Mamoudzou
        ("98818", -22.2735, 166.4481, 2),  # Nouméa
    )
)
