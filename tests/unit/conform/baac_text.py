"""A header and a row of the places table, from 2019."""

PLACES = "Num_Acc;catr;voie;v1;v2;circ;nbv;vosp;prof;pr;pr1;plan;lartpc;larrout;surf;infra;situ;vma"
PLACE = "201900000001;4;RUE DE LA PAIX;0;;2;2;0;1;(1);(1);1;;-1;1;0;1;50"
